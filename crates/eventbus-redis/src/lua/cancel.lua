-- Takes back a scheduled event, all of it at once: it may be scheduled anew meanwhile. KEYS: log, later, events.
-- ARGV: id.
redis.call('HDEL', KEYS[3], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])
