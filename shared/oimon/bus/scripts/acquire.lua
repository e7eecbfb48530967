-- Take or extend the ownership of (role, partition). Only the server's clock counts.
-- KEYS 1 ownership record, 2 the input that the cursor is of, if there is one · ARGV 1 me, 2 ttl in ms
-- Answers {1, epoch, cursor, in_n, how it was taken, stuck, 1 when rolled back, run, beat} when it is mine, else {0, owner}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[2])
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'until', 'cursor', 'in_n', 'stuck', 'stuck_at', 'run', 'beat', 'trying')
local owner, epoch = own[1] or '', own[2] or '0'
local deadline = tonumber(own[3] or '0')
local cursor, in_n = own[4] or '0-0', own[5] or '0'
local stuck, stuck_at = tonumber(own[6] or '0'), own[7] or ''
if deadline > now + 4 * ttl then deadline = 0 end -- the clock was set back: void
if owner ~= '' and owner ~= ARGV[1] and deadline > now then
  return {0, owner}
end
local taken = 'held'
if owner ~= ARGV[1] or deadline <= now then
  taken = (owner == ARGV[1]) and 'renewed' or 'free' -- a new epoch also for me: what I sent in the old one is refused
  if owner ~= '' and owner ~= ARGV[1] then -- it died without giving back: at the same place as the one before?
    taken = 'expired'
    stuck = (stuck_at == cursor) and stuck + 1 or 0
    stuck_at = cursor
  end
  epoch = string.format('%.0f', math.max(epoch + 1, now))
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch, 'pseq', '0', 'stuck', stuck, 'stuck_at', stuck_at)
end
redis.call('HSET', KEYS[1], 'until', now + ttl)

local function numbers(id)
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(seq)
end
local function is_after(one, other)
  local ms, seq = numbers(one)
  local other_ms, other_seq = numbers(other)
  return ms > other_ms or (ms == other_ms and seq > other_seq)
end
local rolled_back = 0
if KEYS[2] and cursor ~= '0-0' and #redis.call('XRANGE', KEYS[2], cursor, cursor) == 0 then -- trimmed, or beyond the end?
  local last = '0-0'
  if redis.call('EXISTS', KEYS[2]) == 1 then
    local info = redis.call('XINFO', 'STREAM', KEYS[2]) -- copies two entries: only where the usual case is not given
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  if is_after(cursor, last) then -- XREAD would pass over what is new, without a word
    cursor, in_n, rolled_back = '0-0', '0', 1
    redis.call('HSET', KEYS[1], 'cursor', cursor, 'in_n', in_n)
  end
end
if stuck_at ~= cursor then stuck = 0 end
if own[10] and is_after(own[10], cursor) then stuck = math.max(stuck, 1) end -- it was tried, and nobody got past it
return {1, epoch, cursor, in_n, taken, stuck, rolled_back, own[8] or '', own[9] or '0'}
