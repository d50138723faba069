-- How many jobs of its class stand before each of these, where it waits.
-- KEYS  1 the queue's prefix
-- ARGV  ids
-- RETURNS  {{class, waiting, …}, then for each id {class, before it} or {} where it does not wait}
-- Atomic, so that what waits and where each job stands are of one instant.
local waiting, first = {}, {}
local reply = {{}}
for _, class in ipairs(STREAMS) do
  local n = waiting_in(class)
  -- Entries are counted as they are added: so the newest one's number, and the oldest one's that waits.
  if n > 0 then first[class] = map(redis.call('XINFO', 'STREAM', jobs(class)))['entries-added'] - n + 1 end
  waiting[class] = n
  table.insert(reply[1], class)
  table.insert(reply[1], n)
end
for i, id in ipairs(ARGV) do
  local v = redis.call('HMGET', T .. ':job:' .. id, 'state', 'entry', 'class', 'place')
  reply[i + 1] = {}
  if v[1] == 'waiting' and v[2] then
    local class = split_entry(v[2])
    -- One that was given back has left its place, and what is given back is read soon: at most all of it is before it.
    local before = class == v[3] and v[4] and first[class] and tonumber(v[4]) - first[class] or waiting[class] - 1
    -- Jobs behind it that were cancelled, or taken before it, count as if they had stood before it.
    reply[i + 1] = {class, math.max(0, math.min(before, waiting[class] - 1))}
  end
end
return reply
