-- What all scripts of a group share. A record is a message out of the streams: key, attempt, history, its fields.
local log, again, kept, waiting, parked, dead, bound, members, meta = unpack(KEYS)
local group, me = ARGV[1], ARGV[2]

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function alive(name, now)
  local until_ = redis.call('ZSCORE', members, name)
  return until_ and tonumber(until_) > now
end

-- An entry's id as text that sorts like the log.
local function position(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return string.rep('0', 16 - #ms) .. ms .. '-' .. string.rep('0', 10 - #seq) .. seq
end

-- Makes a record the newest entry of the group's own stream, from where members read it.
local function hand(at, record)
  local key, attempt, history, fields = unpack(cmsgpack.unpack(record))
  local entry = {'XADD', again, '*', '~at', at, '~key', key, '~attempt', attempt, '~history', history}
  for _, field in ipairs(fields) do entry[#entry + 1] = field end
  redis.call(unpack(entry))
end

local function hand_kept(at)
  local record = redis.call('HGET', kept, at)
  if record then
    hand(at, record)
    redis.call('HDEL', kept, at)
  end
end

-- Keeps everything of a key behind this place.
local function hold(key, at)
  if key == '' then return end
  local now = redis.call('HGET', bound, key)
  if not now or at < now then redis.call('HSET', bound, key, at) end
end

local CHUNK = 64

-- The message that held a key is over: what was parked behind it follows, in order, some at a time.
local function release(key, at)
  if key == '' or redis.call('HGET', bound, key) ~= at then return end
  local next = redis.call('ZRANGEBYLEX', parked, '[' .. key .. '\0', '(' .. key .. '\1', 'LIMIT', 0, CHUNK)
  if #next == 0 then
    redis.call('HDEL', bound, key)
    return
  end
  local last
  for _, member in ipairs(next) do
    last = string.sub(member, #key + 2)
    hand_kept(last)
    redis.call('ZREM', parked, member)
  end
  redis.call('HSET', bound, key, last)
end

local function destroy()
  pcall(redis.call, 'XGROUP', 'DESTROY', log, group)
  redis.call('DEL', again, kept, waiting, parked, dead, bound, members, meta)
end

local function has_members(now)
  return redis.call('ZCOUNT', members, '(' .. string.format('%.0f', now), '+inf') > 0
end
