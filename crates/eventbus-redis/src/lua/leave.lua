-- A member is gone; an ephemeral group goes with the last one. ARGV: group, member.
redis.call('ZREM', members, me)
if redis.call('HGET', meta, 'owner') == me then redis.call('HDEL', meta, 'owner') end
if redis.call('HGET', meta, 'ephemeral') == '1' and not has_members(clock()) then destroy() end
return 1
