-- Count one more try at an entry that may have killed an owner.
-- KEYS 1 ownership record · ARGV 1 me, 2 epoch, 3 id of the entry
-- Answers how many tries there were, with this one.
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'trying', 'tries')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end
local tries = (own[3] == ARGV[3]) and tonumber(own[4]) + 1 or 1
redis.call('HSET', KEYS[1], 'trying', ARGV[3], 'tries', tries)
return tries
