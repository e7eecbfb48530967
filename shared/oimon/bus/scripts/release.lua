-- Give the ownership back; the cursor stays.
-- KEYS 1 ownership record · ARGV 1 me, 2 epoch
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if own[1] == ARGV[1] and own[2] == ARGV[2] then
  redis.call('HSET', KEYS[1], 'owner', '', 'until', '0')
end
return 1
