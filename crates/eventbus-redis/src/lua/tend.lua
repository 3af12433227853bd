-- Trims a shard's log up to what every group has settled, notes how far each came, removes ephemeral groups whose
-- members all died. KEYS: log, lock. ARGV: ms nobody else needs to do it, entries and ms to leave, prefix of groups' keys,
-- ms for which members of an ephemeral group may not be heard: all leases end in an outage, and nobody died of it.
-- Answers the groups without members that hold the log, found now or by who did it just now: name, the time of the
-- oldest entry they need in ms, how many entries they have not read.
local log, lock = unpack(KEYS)
local found = redis.call('GET', lock)
if found then return cmsgpack.unpack(found) end
if redis.call('EXISTS', log) == 0 then return {} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function parse(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), seq
end

local function position(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return string.rep('0', 16 - #ms) .. ms .. '-' .. string.rep('0', 20 - #seq) .. seq
end

-- The id right before another.
local function before(id)
  local ms, seq = parse(id)
  if seq ~= '0' then return string.format('%.0f-%.0f', ms, tonumber(seq) - 1) end
  return string.format('%.0f-18446744073709551615', math.max(0, ms - 1))
end

-- Ids may be ahead of the clock: without a time to keep, it is not asked.
local function newest()
  local info = redis.call('XINFO', 'STREAM', log)
  for index = 1, #info, 2 do
    if info[index] == 'last-generated-id' then return info[index + 1] end
  end
end

local oldest = ARGV[3] == '0' and newest() or string.format('%.0f-0', math.max(0, now - ARGV[3]))
local held = {}
for _, one in ipairs(redis.call('XINFO', 'GROUPS', log)) do
  local name, pending, last, lag = one[2], one[6], one[8], one[12]
  local keys = ARGV[4] .. name
  local live = redis.call('ZCOUNT', keys .. ':members', '(' .. string.format('%.0f', now), '+inf')
  local ephemeral = redis.call('HGET', keys .. ':meta', 'ephemeral') == '1'
  local silent = ephemeral and redis.call('HGET', keys .. ':meta', 'silent')
  if live > 0 and silent then
    redis.call('HDEL', keys .. ':meta', 'silent')
  elseif live == 0 and ephemeral and not silent then
    redis.call('HSET', keys .. ':meta', 'silent', string.format('%.0f', now))
  end
  if live == 0 and silent and now - silent >= tonumber(ARGV[5]) then
    redis.call('XGROUP', 'DESTROY', log, name)
    for _, part in ipairs({'again', 'kept', 'waiting', 'parked', 'dead', 'bound', 'members', 'meta'}) do
      redis.call('DEL', keys .. ':' .. part)
    end
  else
    local needs, settled = last, last
    if pending > 0 then
      needs = redis.call('XPENDING', log, name)[2]
      if position(needs) > position(last) then needs = last else settled = before(needs) end
    end
    if redis.call('EXISTS', keys .. ':meta') == 1 then redis.call('HSET', keys .. ':meta', 'cursor', settled) end
    if position(needs) < position(oldest) then oldest = needs end
    if live == 0 and (pending > 0 or lag ~= 0) then held[#held + 1] = {name, (parse(needs)), lag or -1} end
  end
end
local excess = redis.call('XLEN', log) - ARGV[2]
if excess > 0 then redis.call('XTRIM', log, 'MINID', '~', oldest, 'LIMIT', excess) end
redis.call('SET', lock, cmsgpack.pack(held), 'PX', ARGV[1])
return held
