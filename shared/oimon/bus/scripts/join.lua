-- Make a group that begins with the oldest entry, unless it is there, and forget its dead members.
-- KEYS 1 stream · ARGV 1 group, 2 silence in ms after which a member is dead; not given by who becomes no member
-- Answers 1. A script, so that a group that is there is no error: a stand-in closes the connection of who makes one. And so that
-- nobody is given an entry between the look and the deletion: what a member has pending would be lost with it.
local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(reply) == 'table' and reply.err and not string.find(tostring(reply.err), 'BUSYGROUP') then
  return redis.error_reply(tostring(reply.err))
end
if not ARGV[2] then return 1 end
for _, told in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local member = {}
  for i = 1, #told, 2 do member[told[i]] = told[i + 1] end
  if member.pending == 0 and member.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], member.name)
  end
end
return 1
