-- The producer's write: messages, then a beat when the clock has entered a new step.
-- KEYS 1 stream, 2 ownership record, 3 that of who answers beats
-- ARGV 1 me, 2 epoch, 3 pseq, 4 ttl in ms, 5 kept in ms, 6 kept entries, 7 run, 8 event time in us ('' = the server's clock),
--      9 step of the beat in ms, 10 the beat's JSON up to its ts_us, 11 schema, 12 least time from beat to beat in us,
--      then t, d of each message
-- Answers {1, beat in us or 0}; for a pseq that was there {0, the beat that it had}.
local own = redis.call('HMGET', KEYS[2], 'owner', 'epoch', 'pseq', 'out_n', 'run', 'beat', 'beat_n', 'pbeat')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end
if tonumber(ARGV[3]) <= tonumber(own[3] or '0') then return {0, tonumber(own[8] or '0')} end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local before = tonumber(own[4] or '0')
local n = before
local function add(kind, data)
  n = n + 1
  redis.call('XADD', KEYS[1], '*', 'n', n, 'at', now_ms, 'w', ARGV[1], 'v', ARGV[11], 't', kind, 'd', data)
end
for i = 13, #ARGV, 2 do add(ARGV[i], ARGV[i + 1]) end
local last = (own[5] == ARGV[7]) and tonumber(own[6] or '0') or 0
local due
local beat_n = own[7] or '0'
if ARGV[8] ~= '' then
  due = tonumber(ARGV[8])
else
  due = time[1] * 1000000 + time[2]
  local step = tonumber(ARGV[9]) * 1000
  if step > 0 then
    due = math.floor(due / step) * step
  elseif due - last < 1000000 then -- a beat a batch, once the beat before is answered: else beats queue up without end
    local answering = redis.call('HMGET', KEYS[3], 'owner', 'in_n')
    if answering[1] and tonumber(answering[2] or '0') < tonumber(beat_n) then due = last end
  end
  if due - last < tonumber(ARGV[12]) then due = last end
end
local beat = 0
if due > last then
  beat = due
  add('beat', ARGV[10] .. string.format('%.0f', due) .. '}')
  last, beat_n = due, n
end
redis.call('HSET', KEYS[2], 'pseq', ARGV[3], 'out_n', n, 'run', ARGV[7], 'beat', last, 'beat_n', beat_n,
  'pbeat', string.format('%.0f', beat), 'until', now_ms + ARGV[4])
if math.floor(n / 16) > math.floor(before / 16) then -- trimming is approximate anyway, and costs
  redis.call('XTRIM', KEYS[1], 'MINID', '~', now_ms - ARGV[5])
  redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[6]) -- a belt: age is the rule
end
return {1, beat}
