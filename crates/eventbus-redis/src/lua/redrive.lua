-- Hands a dead letter out again, or removes it. ARGV: group, its number, 'redrive' or 'purge'.
local at = redis.call('ZRANGEBYSCORE', dead, ARGV[2], ARGV[2])[1]
if not at then return 0 end
local record = redis.call('HGET', kept, at)
if record then
  local key, _, _, fields = unpack(cmsgpack.unpack(record))
  if ARGV[3] == 'redrive' then
    hand(at, cmsgpack.pack({key, 1, '', fields}))
  else
    release(key, at)
  end
end
redis.call('ZREM', dead, at)
redis.call('HDEL', kept, at)
return record and 1 or 0
