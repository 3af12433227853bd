-- Keeps an event until its time. KEYS: log, later, events. ARGV: id, delay in ms, the most, then its fields.
-- Answers 0 when there is no room.
local _, later, events = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not redis.call('ZSCORE', later, ARGV[1]) and redis.call('ZCARD', later) >= tonumber(ARGV[3]) then return 0 end
local fields = {unpack(ARGV, 4)}
redis.call('HSET', events, ARGV[1], cmsgpack.pack(fields))
redis.call('ZADD', later, string.format('%.0f', now + ARGV[2]), ARGV[1])
return 1
