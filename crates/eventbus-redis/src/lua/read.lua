-- Reads a shard of a group with order, for its owner only: what a member reads that lost the shard without knowing would
-- be taken from under its successor. A blocking read cannot ask that, so it is this one, and a plain read waits for it.
-- ARGV: group, member, how many of each stream.
-- Answers whether the shard is the member's, what there is, and, when there is nothing, the last ids that were handed out.
if redis.call('HGET', meta, 'owner') ~= me then
  if redis.call('HEXISTS', meta, 'what') == 0 then return redis.error_reply('NOGROUP ' .. group .. ' vanished') end
  return {0}
end
local found = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', ARGV[3], 'STREAMS', again, log, '>', '>')
if found then return {1, found} end

local function last(stream)
  for _, one in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    if one[2] == group then return one[8] end
  end
end

return {1, false, last(again), last(log)}
