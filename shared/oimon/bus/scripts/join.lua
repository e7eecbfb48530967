-- Make a group that begins with the oldest entry, unless it is there.
-- KEYS 1 stream · ARGV 1 group
-- Answers 1. A script, so that a group that is there is no error: a stand-in closes the connection of who makes one.
local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(reply) == 'table' and reply.err and not string.find(tostring(reply.err), 'BUSYGROUP') then
  return redis.error_reply(tostring(reply.err))
end
return 1
