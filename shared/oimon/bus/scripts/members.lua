-- Say that a replica lives, or that it leaves, and list who lives. Only the server's clock counts.
-- KEYS 1 members of the role, scored by the ms of their last word · ARGV 1 me, 2 ttl in ms, 3 '1' to leave
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf') -- the clock was set back: void
if ARGV[3] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
