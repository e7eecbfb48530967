-- Set an entry of the input aside and move the cursor past it.
-- KEYS 1 ownership record, 2 stream of what was parked
-- ARGV 1 me, 2 epoch, 3 cursor before, 4 id of the entry, 5 its n, 6 ttl in ms, 7 kept entries, 8 why, 9 tries, 10 its stream,
--      11 v, 12 t, 13 d, unless it is too large
-- Answers how many repeats were refused.
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'cursor')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end
if (own[3] or '0-0') ~= ARGV[3] then return redis.error_reply('DIVERGED cursor is ' .. (own[3] or '0-0')) end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = {'why', ARGV[8], 'at', now_ms, 'tries', ARGV[9], 's', ARGV[10], 'n', ARGV[5], 'v', ARGV[11], 't', ARGV[12]}
if ARGV[13] then
  fields[#fields + 1] = 'd'
  fields[#fields + 1] = ARGV[13]
end
-- Mostly its own id stands for it. It is too small when a later entry was parked before the log lost its end: then it is a field.
local refused = 0
local reply = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], ARGV[4], unpack(fields))
if type(reply) == 'table' and reply.err then
  if not string.find(tostring(reply.err), 'equal or smaller') then return redis.error_reply(tostring(reply.err)) end
  for _, row in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
    if row[1] == ARGV[4] or (row[2][1] == 'id' and row[2][2] == ARGV[4]) then refused = 1 end
  end
  if refused == 0 then redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'id', ARGV[4], unpack(fields)) end
end
redis.call('HSET', KEYS[1], 'until', now_ms + ARGV[6], 'cursor', ARGV[4], 'in_n', ARGV[5])
return refused
