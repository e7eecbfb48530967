-- Take or extend the ownership of (role, partition). Only the server's clock counts.
-- KEYS 1 ownership record · ARGV 1 me, 2 ttl in ms
-- Answers {1, epoch, cursor, in_n} when it is mine, else {0, owner}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[2])
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'until', 'cursor', 'in_n')
local owner, epoch = own[1], tonumber(own[2] or '0')
local deadline = tonumber(own[3] or '0')
if deadline > now + 4 * ttl then deadline = 0 end -- the clock was set back: void
if owner and owner ~= '' and owner ~= ARGV[1] and deadline > now then
  return {0, owner}
end
if owner ~= ARGV[1] or deadline <= now then
  epoch = math.max(epoch + 1, now)
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', string.format('%.0f', epoch), 'pseq', '0')
end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ttl))
return {1, string.format('%.0f', epoch), own[4] or '0-0', own[5] or '0'}
