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

-- The most values a call can have, with room to spare; more of them travel as one, under this name.
local MOST, PACKED = 4000, '~packed'

-- Makes a record the newest entry of the group's own stream, from where members read it.
local function hand(at, record)
  local key, attempt, history, fields = unpack(cmsgpack.unpack(record))
  if #fields > MOST then fields = {PACKED, cmsgpack.pack(fields)} end
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

-- The places that hold a key, in order: everything behind the first is kept back.
local function holders(key)
  local places = {}
  for place in string.gmatch(key ~= '' and redis.call('HGET', bound, key) or '', '[^,]+') do
    places[#places + 1] = place
  end
  return places
end

local function set_holders(key, places)
  if #places == 0 then
    redis.call('HDEL', bound, key)
  else
    redis.call('HSET', bound, key, table.concat(places, ','))
  end
end

-- Whether a place is one of them; where it is, or would be.
local function find_holder(places, at)
  for index, place in ipairs(places) do
    if at <= place then return at == place, index end
  end
  return false, #places + 1
end

-- Keeps everything of a key behind this place.
local function hold(key, at)
  if key == '' then return end
  local places = holders(key)
  local there, index = find_holder(places, at)
  if there then return end
  table.insert(places, index, at)
  set_holders(key, places)
end

local CHUNK = 64

-- The message that held a key is over: what was parked between it and the next that holds the key follows, in order,
-- some at a time.
local function release(key, at)
  local places = holders(key)
  local there, index = find_holder(places, at)
  if not there then return end
  table.remove(places, index)
  if index == 1 then
    local upto = places[1] and '[' .. key .. '\0' .. places[1] or '(' .. key .. '\1'
    local next = redis.call('ZRANGEBYLEX', parked, '[' .. key .. '\0', upto, 'LIMIT', 0, CHUNK)
    local last
    for _, member in ipairs(next) do
      last = string.sub(member, #key + 2)
      hand_kept(last)
      redis.call('ZREM', parked, member)
    end
    if last and last ~= places[1] then table.insert(places, 1, last) end
  end
  set_holders(key, places)
end

local function destroy()
  pcall(redis.call, 'XGROUP', 'DESTROY', log, group)
  redis.call('DEL', again, kept, waiting, parked, dead, bound, members, meta)
end

local function has_members(now)
  return redis.call('ZCOUNT', members, '(' .. string.format('%.0f', now), '+inf') > 0
end
