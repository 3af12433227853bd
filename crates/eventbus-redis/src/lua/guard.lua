-- An idempotency guard. KEYS: its key. ARGV: what to do, a claim's number, ms.
-- The value is 'done', or the number of the claim.
local state = redis.call('GET', KEYS[1])
if ARGV[1] == 'claim' then
  if not state then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return -1
  end
  if state == 'done' then return -2 end
  return math.max(1, redis.call('PTTL', KEYS[1]))
end
if state ~= ARGV[2] then return 0 end
if ARGV[1] == 'done' then
  redis.call('SET', KEYS[1], 'done', 'PX', ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return 1
