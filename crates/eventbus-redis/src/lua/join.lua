-- Makes a group, or makes it again where it vanished, and lets a member join.
-- ARGV: group, member, lease in ms, what the group is, whether it goes with its last member, where it starts if
-- it is new ('' to be told that it is), where this process saw it last or ''.
local lease, what, ephemeral, start, seen = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local now = clock()
local before = redis.call('HGET', meta, 'what')
if start == '' and not before and seen == '' then return {'absent', ''} end
if before and before ~= what and has_members(now) then return {'conflict', before} end

local function groups()
  if redis.call('EXISTS', log) == 0 then return {} end
  return redis.call('XINFO', 'GROUPS', log)
end

local function find()
  for _, one in ipairs(groups()) do
    if one[2] == group then return one end
  end
end

local function below(one, other)
  return position(one) < position(other)
end

-- Where a group that vanished goes on: behind what was settled, but from the start of a log that began anew.
local function resume(cursor)
  if redis.call('EXISTS', log) == 0 then return '0' end
  local info = redis.call('XINFO', 'STREAM', log)
  for index = 1, #info, 2 do
    if info[index] == 'last-generated-id' and below(info[index + 1], cursor) then return '0' end
  end
  return cursor
end

local state = 'there'
if not find() then
  local cursor = redis.call('HGET', meta, 'cursor')
  if not cursor and seen ~= '' then cursor = seen end
  state = cursor and 'resumed' or 'new'
  redis.call('XGROUP', 'CREATE', log, group, cursor and resume(cursor) or start, 'MKSTREAM')
  redis.call('HSET', meta, 'cursor', find()[8])
end
local made = pcall(redis.call, 'XGROUP', 'CREATE', again, group, '0', 'MKSTREAM')
if not made and redis.call('TYPE', again).ok ~= 'stream' then
  return redis.error_reply('WRONGTYPE ' .. again .. ' is not a stream')
end
redis.call('HSET', meta, 'what', what, 'ephemeral', ephemeral)
redis.call('ZADD', members, string.format('%.0f', now + lease), me)
return {state, ''}
