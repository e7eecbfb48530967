-- The consumer's write: outputs under ids derived from inputs, the cursor, and now and then the state.
-- KEYS 1 ownership record, 2 input stream, 3 output stream, 4 snapshot, if one is given
-- ARGV 1 me, 2 epoch, 3 cursor before, 4 cursor after, 5 ttl in ms, 6 n of the last input, 7 kept in ms, 8 kept entries,
--      9 schema, then id, t, d of each output, then the snapshot, if one is given
-- Answers how many repeats were refused. A script that fails midway is not undone, so nothing is written before the checks,
-- and whatever is written twice has the same id. (tostring: the error that a stand-in hands over is no string.)
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'cursor', 'out_n')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end
if (own[3] or '0-0') ~= ARGV[3] then return redis.error_reply('DIVERGED cursor is ' .. (own[3] or '0-0')) end
if #redis.call('XRANGE', KEYS[2], ARGV[4], ARGV[4]) == 0 then
  return redis.error_reply('DIVERGED input ' .. ARGV[4] .. ' is not in the log')
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local before = tonumber(own[4] or '0')
local n, refused = before, 0
for i = 10, #ARGV - (KEYS[4] and 1 or 0), 3 do
  local reply = redis.pcall('XADD', KEYS[3], ARGV[i], 'n', n + 1, 'at', now_ms, 'w', ARGV[1], 'v', ARGV[9],
    't', ARGV[i + 1], 'd', ARGV[i + 2])
  if type(reply) == 'table' and reply.err then
    if not string.find(tostring(reply.err), 'equal or smaller') then
      redis.call('HSET', KEYS[1], 'out_n', n) -- what is in has had its numbers
      return redis.error_reply(tostring(reply.err))
    end
    refused = refused + 1
  else
    n = n + 1
  end
end
redis.call('HSET', KEYS[1], 'until', now_ms + ARGV[5], 'cursor', ARGV[4], 'in_n', ARGV[6], 'out_n', n)
if KEYS[4] then redis.call('SET', KEYS[4], ARGV[#ARGV]) end
local pace = math.max(1, math.min(16, math.floor(ARGV[8] / 8))) -- trimming costs; where few are kept, 16 more are much
if math.floor(n / pace) > math.floor(before / pace) then
  redis.call('XTRIM', KEYS[3], 'MINID', '~', now_ms - ARGV[7])
  redis.call('XTRIM', KEYS[3], 'MAXLEN', '~', ARGV[8])
end
return refused
