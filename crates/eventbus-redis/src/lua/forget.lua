-- Removes a group with everything it holds. ARGV: group. Answers -1 while it has members.
if redis.call('EXISTS', meta) == 0 then return 0 end
if has_members(clock()) then return -1 end
destroy()
return 1
