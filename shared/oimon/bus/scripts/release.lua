-- Give the ownership back, with the state as it stands at the cursor; the cursor stays.
-- KEYS 1 ownership record, 2 snapshot · ARGV 1 me, 2 epoch, 3 cursor of the state, 4 the snapshot, if there is one
-- Answers 1, or 0 when it was not mine any more. After a rollback the cursor is another: the state is then not kept.
local own = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'cursor')
if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return 0 end
if ARGV[4] and (own[3] or '0-0') == ARGV[3] then redis.call('SET', KEYS[2], ARGV[4]) end
redis.call('HSET', KEYS[1], 'owner', '', 'until', '0')
return 1
