-- Settles messages of this member in any way but acknowledging an entry of the log, which is a plain XACK.
-- ARGV: group, member, most dead letters, then seven per message: kind, stream, id, key, attempt, history, detail.
-- Answers a number per message (0 lost, 1 applied, 2 no room, 3 its entry is gone, 4 not to be parked), and which of
-- their keys are free.
local most_dead = tonumber(ARGV[3])
local now = clock()

local function take(stream, id)
  redis.call('XACK', stream, group, id)
  if stream == again then redis.call('XDEL', stream, id) end
end

local function number()
  local time = redis.call('TIME')
  local next = (time[1] - 1767225600) * 1000000 + time[2]
  local last = tonumber(redis.call('GET', KEYS[10]) or 0)
  if next <= last then next = last + 1 end
  local text = string.format('%.0f', next)
  redis.call('SET', KEYS[10], text)
  return text
end

local function settle(kind, stream, id, key, attempt, history, detail)
  local mine = redis.call('XPENDING', stream, group, id, id, 1)[1]
  if not mine or mine[2] ~= me then return 0 end
  -- With order, nobody but the shard's owner holds keys: whoever lost it leaves its messages to the next one, in order.
  if kind ~= 'ack' and key ~= '' and redis.call('HGET', meta, 'owner') ~= me then return 0 end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then
    redis.call('XACK', stream, group, id)
    return 3
  end
  local fields, at = entry[2], position(id)
  if stream == again then
    at = fields[2]
    local own = {}
    for index = 9, #fields do own[#own + 1] = fields[index] end
    fields = own[1] == PACKED and cmsgpack.unpack(own[2]) or own
  end
  if kind == 'ack' then
    take(stream, id)
    release(key, at)
    return 1
  end
  local limit = holders(key)[1]
  if kind == 'park' and not (limit and at > limit) then return 4 end
  if kind == 'dead' and redis.call('ZCARD', dead) >= most_dead then return 2 end
  -- Taken last: a script that fails undoes nothing.
  local record = cmsgpack.pack({key, attempt, history, fields})
  if kind == 'park' or (kind == 'return' and limit and at > limit) then
    redis.call('HSET', kept, at, record)
    redis.call('ZADD', parked, 0, key .. '\0' .. at)
  elseif kind == 'return' or (kind == 'retry' and detail == '0') then
    hold(key, at)
    hand(at, record)
  elseif kind == 'retry' then
    hold(key, at)
    redis.call('HSET', kept, at, record)
    redis.call('ZADD', waiting, string.format('%.0f', now + detail), at)
  else
    redis.call('HSET', kept, at, record)
    redis.call('ZADD', dead, number(), at)
    if detail == '1' then hold(key, at) else release(key, at) end
  end
  take(stream, id)
  return 1
end

local results, keys = {}, {}
for index = 4, #ARGV, 7 do
  local kind, stream, id, key, attempt, history, detail = unpack(ARGV, index, index + 6)
  if key ~= '' then keys[key] = true end
  results[#results + 1] = settle(kind, stream == 'log' and log or again, id, key, attempt, history, detail)
end
local free = {}
for key in pairs(keys) do
  if redis.call('HEXISTS', bound, key) == 0 then free[#free + 1] = key end
end
return {results, free}
