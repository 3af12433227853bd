-- Lists dead letters. ARGV: group, the number to begin after, how many.
local found = {}
local page = redis.call('ZRANGEBYSCORE', dead, '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for index = 1, #page, 2 do
  local at, record = page[index], redis.call('HGET', kept, page[index])
  if record then
    local key, attempt, history, fields = unpack(cmsgpack.unpack(record))
    local holds = find_holder(holders(key), at) and 1 or 0
    found[#found + 1] = {page[index + 1], tostring(attempt), history, holds, fields}
  end
end
return found
