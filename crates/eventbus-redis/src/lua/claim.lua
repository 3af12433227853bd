-- Takes over pending messages: those of members that are gone, each counted as an attempt; and, of its own, those that
-- it never saw because the answer was lost, uncounted. In a group with order, whoever the shard belongs to takes
-- everything in it: a member that lost the shard and lives may not go on beside it.
-- ARGV: group, member, whether the group has order, where to begin in each stream, how many, then the ids that the
-- member knows, with their stream.
-- Answers: where to go on in each stream ('' at the end), how many entries are gone, the messages.
local ordered = ARGV[3] == '1'
local from = {[log] = ARGV[4], [again] = ARGV[5]}
local many = tonumber(ARGV[6])
if ordered and redis.call('HGET', meta, 'owner') ~= me then return {'', '', 0, {}} end
local known = {}
for index = 7, #ARGV do known[ARGV[index]] = true end
local now = clock()
local found, gone, size = {}, 0, 0
-- More bytes than this would take too long to arrive on a slow network: the rest comes next.
local LARGE = 2097152

local function claim(stream, name)
  if from[stream] == '' then return '' end
  local page = redis.call('XPENDING', stream, group, from[stream], '+', 256)
  for _, one in ipairs(page) do
    local id, owner, times = one[1], one[2], one[4]
    if #found >= many or size >= LARGE then return id end
    local unseen = owner == me and not known[name .. id]
    if unseen or (owner ~= me and (ordered or not alive(owner, now))) then
      if not unseen then times = times + 1 end
      local entry = redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', times)[1]
      if entry then
        found[#found + 1] = {name, id, times, entry[2]}
        for _, value in ipairs(entry[2]) do size = size + #value end
      else
        gone = gone + 1
      end
    end
  end
  return #page == 256 and '(' .. page[256][1] or ''
end

-- The log first: what is pending there is older than what was put behind it, or is parked.
local rest_log = claim(log, 'log')
local rest_again = rest_log == '' and claim(again, 'again') or from[again]
return {rest_log, rest_again, gone, found}
