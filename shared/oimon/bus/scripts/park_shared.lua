-- Set an entry aside and say that the group is done with it, unless the group is done with it already.
-- KEYS 1 stream of the entry, 2 stream of what was parked
-- ARGV 1 group, 2 id of the entry, 3 its n, 4 kept entries, 5 why, 6 tries, 7 its stream, 8 v, 9 t, 10 d, unless it is too large
-- A group is given entries of several streams, in any order: the entry's id cannot be that of the parked one, so it is a field.
-- Answers 1, or 0 when the entry was not pending.
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = {'id', ARGV[2], 'why', ARGV[5], 'at', now_ms, 'tries', ARGV[6], 's', ARGV[7], 'n', ARGV[3], 'v', ARGV[8], 't', ARGV[9]}
if ARGV[10] then
  fields[#fields + 1] = 'd'
  fields[#fields + 1] = ARGV[10]
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', unpack(fields))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return 1
