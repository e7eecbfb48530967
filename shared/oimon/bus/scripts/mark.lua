-- Note what becomes of a message that leaves the house: it is being sent, it was sent. Extends the lease.
-- KEYS 1 ownership record, 2 what became of messages, by their ids
-- ARGV 1 me, 2 epoch, 3 id of the message, 4 what becomes of it, 5 ttl in ms, 6 kept in ms
-- Answers what was noted before, or nothing.
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HMGET', KEYS[2], ARGV[3])[1]
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[1], 'until', now_ms + ARGV[5])
if not before and redis.call('HLEN', KEYS[2]) % 64 == 0 then -- looking through all of them costs
  for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
    if tonumber(string.match(id, '^%d+')) < now_ms - ARGV[6] then redis.call('HDEL', KEYS[2], id) end
  end
end
return before or ''
