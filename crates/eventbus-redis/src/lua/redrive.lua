-- Hands a dead letter out again, or removes it. ARGV: group, its number, 'redrive' or 'purge'.
local at = redis.call('ZRANGEBYSCORE', dead, ARGV[2], ARGV[2])[1]
if not at then return 0 end
redis.call('ZREM', dead, at)
local record = redis.call('HGET', kept, at)
redis.call('HDEL', kept, at)
if not record then return 0 end
local key, _, _, fields = unpack(cmsgpack.unpack(record))
if ARGV[3] == 'redrive' then
  hand(at, cmsgpack.pack({key, 1, '', fields}))
else
  release(key, at)
end
return 1
