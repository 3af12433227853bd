-- Counts what a group holds. ARGV: group. Answers an empty list when there is no such group.
if redis.call('EXISTS', meta) == 0 then return {} end
local unread, pending = 0, 0

local function count(one)
  local lag = one[12]
  if lag then return lag end
  -- The server lost count; so far as this can be seen, within reason.
  return #redis.call('XRANGE', log, '(' .. one[8], '+', 'COUNT', 10000)
end

if redis.call('EXISTS', log) == 1 then
  for _, one in ipairs(redis.call('XINFO', 'GROUPS', log)) do
    if one[2] == group then
      unread, pending = count(one), one[6]
    end
  end
end
local behind = redis.call('EXISTS', again) == 1 and redis.call('XPENDING', again, group)[1] or 0
unread = unread + redis.call('XLEN', again) - behind
local live = redis.call('ZCOUNT', members, '(' .. string.format('%.0f', clock()), '+inf')
return {unread, pending + behind, redis.call('ZCARD', waiting), redis.call('ZCARD', parked),
  redis.call('HLEN', bound), redis.call('ZCARD', dead), live}
