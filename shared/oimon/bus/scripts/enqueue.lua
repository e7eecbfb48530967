-- Append a message unless one of that name was.
-- KEYS 1 names seen, scored by the ms they were, 2 stream
-- ARGV 1 me, 2 name, 3 kept in ms, 4 kept entries, 5 schema, 6 t, 7 d
-- Answers 1, or 0 for a name that was there. The new entry outlives the trimming, so the last n is always in the stream.
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local n = 1
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if newest then
  for i = 1, #newest[2], 2 do
    if newest[2][i] == 'n' then n = newest[2][i + 1] + 1 end
  end
end
local oldest = now_ms - ARGV[3]
redis.call('XADD', KEYS[2], 'MINID', '~', oldest, '*', 'n', n, 'at', now_ms, 'w', ARGV[1], 'v', ARGV[5], 't', ARGV[6], 'd', ARGV[7])
redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', ARGV[4])
redis.call('ZADD', KEYS[1], now_ms, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', oldest))
return 1
