-- Renews a member's lease, hands out what is due, tidies up after members that are gone.
-- ARGV: group, member, lease in ms, what it wants of the shard: '' (a group without order), 'take', 'keep', 'drop';
-- what the group is to this member.
-- Answers: whether the lease had lapsed, whether the shard is its own, ms until something is due or -1, whether lost
-- members left messages, how many are pending for it, who lives (in a group with order). Answers an empty list when the
-- group vanished, or became another one while the member could not be heard.
local lease, want = tonumber(ARGV[3]), ARGV[4]
local now = clock()

local function consumers(stream)
  local there, list = pcall(redis.call, 'XINFO', 'CONSUMERS', stream, group)
  return there and list
end

local readers = {[log] = consumers(log), [again] = consumers(again)}
if redis.call('HGET', meta, 'what') ~= ARGV[5] or not readers[log] or not readers[again] then return {} end
local lapsed = alive(me, now) and 0 or 1
local ends = string.format('%.0f', now + lease)
-- When nobody at all was heard for a lease, it was the server that could not hear, or its clock that jumped: everybody
-- gets another lease to be heard in, so that the first one back does not take the others for dead.
local heard = tonumber(redis.call('HGET', meta, 'heard') or now)
if now - heard > lease then
  for _, name in ipairs(redis.call('ZRANGE', members, 0, -1)) do redis.call('ZADD', members, 'GT', ends, name) end
end
redis.call('HSET', meta, 'heard', string.format('%.0f', now))
redis.call('ZADD', members, ends, me)
redis.call('ZREMRANGEBYSCORE', members, '-inf', string.format('%.0f', now))

local own = 0
if want ~= '' then
  local owner = redis.call('HGET', meta, 'owner')
  if owner == me and want == 'drop' then
    redis.call('HDEL', meta, 'owner')
  elseif owner == me or (want == 'take' and not (owner and alive(owner, now))) then
    redis.call('HSET', meta, 'owner', me)
    own = 1
  end
end

for _, at in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', string.format('%.0f', now), 'LIMIT', 0, 256)) do
  hand_kept(at)
  redis.call('ZREM', waiting, at)
end
local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
local due = first[2] and math.max(0, first[2] - now) or -1

local orphans, pending_here, idle = 0, 0, {}
for _, stream in ipairs({log, again}) do
  for _, one in ipairs(readers[stream]) do
    local name, pending = one[2], one[4]
    if name == me then
      pending_here = pending_here + pending
    elseif own == 1 and pending > 0 then
      orphans = 1
    elseif not alive(name, now) then
      if pending > 0 then orphans = 1 else idle[#idle + 1] = {stream, name} end
    end
  end
end
-- Nothing pending, looked up in this very script: deleting the name destroys nothing.
for _, one in ipairs(idle) do redis.call('XGROUP', 'DELCONSUMER', one[1], group, one[2]) end
return {lapsed, own, due, orphans, pending_here, want ~= '' and redis.call('ZRANGE', members, 0, -1) or {}}
