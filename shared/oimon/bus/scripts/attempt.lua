-- Count one more try at an entry that may have killed an owner. Who tries again lives: what it lost was an answer.
-- KEYS 1 ownership record · ARGV 1 me, 2 epoch, 3 id of the entry
-- Answers how many have tried, with this one.
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'trying', 'tries', 'tried_by')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end
local tries = 1
if own[3] == ARGV[3] then tries = tonumber(own[4]) + (own[5] == ARGV[1] and 0 or 1) end
redis.call('HSET', KEYS[1], 'trying', ARGV[3], 'tries', tries, 'tried_by', ARGV[1])
return tries
