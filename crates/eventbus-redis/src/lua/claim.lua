-- Takes over pending messages: those of members that are gone, each counted as an attempt; and, of its own, those that
-- it never saw because the answer was lost, uncounted.
-- ARGV: group, member, where to begin in each stream, how many, then the ids that the member knows, with their stream.
-- Answers: where to go on in each stream ('' at the end), how many entries are gone, the messages.
local from = {[log] = ARGV[3], [again] = ARGV[4]}
local many = tonumber(ARGV[5])
local known = {}
for index = 6, #ARGV do known[ARGV[index]] = true end
local now = clock()
local found, gone = {}, 0

local function claim(stream, name)
  if from[stream] == '' then return '' end
  local page = redis.call('XPENDING', stream, group, from[stream], '+', 256)
  for _, one in ipairs(page) do
    local id, owner, times = one[1], one[2], one[4]
    if #found >= many then return id end
    local unseen = owner == me and not known[name .. id]
    if unseen or (owner ~= me and not alive(owner, now)) then
      if not unseen then times = times + 1 end
      local entry = redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', times)[1]
      if entry then
        found[#found + 1] = {name, id, times, entry[2]}
      else
        gone = gone + 1
      end
    end
  end
  return #page == 256 and '(' .. page[256][1] or ''
end

local rest_again = claim(again, 'again')
local rest_log = claim(log, 'log')
return {rest_log, rest_again, gone, found}
