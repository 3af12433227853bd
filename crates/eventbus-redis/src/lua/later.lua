-- Moves scheduled events that are due to the log. KEYS: log, later, events. Answers ms until the next, or -1.
local log, later, events = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', later, '-inf', string.format('%.0f', now), 'LIMIT', 0, 256)
for _, id in ipairs(due) do
  local event = redis.call('HGET', events, id)
  if event then
    local fields = cmsgpack.unpack(event)
    redis.call('XADD', log, '*', unpack(fields))
  end
  redis.call('ZREM', later, id)
  redis.call('HDEL', events, id)
end
local first = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
return first[2] and math.max(0, first[2] - now) or -1
