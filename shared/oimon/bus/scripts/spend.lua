-- Take from what one may use of a day's purse, or correct what was taken.
-- KEYS 1 the purse of the day · ARGV 1 who, 2 calls, 3 tokens, 4 dollars, 5 most calls, 6 most dollars (both empty: a correction), 7 kept in s
-- Answers {1, or 0 when the limit is reached and nothing was taken, 'calls tokens dollars' of the day}.
local used = redis.call('HMGET', KEYS[1], ARGV[1])[1] or '0 0 0'
local calls, tokens, usd = string.match(used, '(%S+) (%S+) (%S+)')
calls, tokens, usd = tonumber(calls), tonumber(tokens), tonumber(usd)
if ARGV[5] ~= '' and (calls >= tonumber(ARGV[5]) or usd >= tonumber(ARGV[6])) then return {0, used} end
used = string.format('%.0f %.0f %.12f', calls + ARGV[2], tokens + ARGV[3], math.max(0, usd + ARGV[4]))
redis.call('HSET', KEYS[1], ARGV[1], used)
redis.call('EXPIRE', KEYS[1], ARGV[7])
return {1, used}
