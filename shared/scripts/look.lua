-- What waits for somebody like me: the window of each class, filled up, and who has served what it begins with.
-- KEYS  1 the queue's prefix
-- ARGV  1 me (incarnation)  2 my host
-- RETURNS  {'OK', now_ms, {another is free (0|1), tokens that the quickest of these reads in a second}, {suspect, due (0|1), not on}, {last re, hi, std, lo, sus},
--           {entry, tenant, outline, home's name or '', its place in `homes` from 1, or 0, not on, beyond the tenant's
--           even share (0|1)}, …} · {'DEAD'}: no lease
--          `suspect`: one that waits to run alone, or ''; due: I have to make room for it. `not on`: the host that gave it
--          back, or ''. `last …`: the ids behind which a doorbell can wait
-- Atomic, since an entry is read into the window and has its record there, or neither.
local me, host = ARGV[1], ARGV[2]
local now = now_ms()
local lease = tonumber(redis.call('ZSCORE', T .. ':workers', me))
if not lease then return {'DEAD'} end

-- While others ask too, a tenant has at most half of the seats.
local is_at_cap = {}
local function has_its_share(tenant)
  if is_at_cap[tenant] == nil then
    is_at_cap[tenant] = others_ask(tenant, now) and slots_of_all(now) > 0 and running_of(tenant) >= slots_of_all(now) / 2
  end
  return is_at_cap[tenant]
end

-- What of a class's window is open to anybody, as {entry id, what is known of it}.
local function open_in(class)
  local open, packed = {}, redis.call('HGETALL', window(class))
  for i = 1, #packed, 2 do
    local seen = seen_in_window(packed[i + 1])
    if not has_its_share(seen.tenant) then open[#open + 1] = {packed[i], seen} end
  end
  return open
end

local function read_unread(class, count)
  local words = {'XREADGROUP', 'GROUP', GROUP, WINDOW, 'COUNT', count, 'STREAMS', jobs(class), '>'}
  local read = redis.pcall(unpack(words))
  if read and read.err then -- somebody deleted the stream, and it has entries again
    ensure_group(class)
    read = redis.call(unpack(words))
  end
  return read and read[1][2] or {}
end

-- Reads what has come into the window, and clears away what is over or broken. Tells behind which id more would lie:
-- what is there already, if so much was cleared away that there is room for it. What is not open takes no room, or a
-- flood would hide everything behind it.
local function fill(class)
  local held = redis.call('HLEN', window(class))
  local room = WINDOW_SIZE - held
  if room <= 0 then room = math.min(WINDOW_SIZE - #open_in(class), WINDOW_MOST - held) end
  for _, found in ipairs(room > 0 and read_unread(class, room) or {}) do
    local fields = map(found[2])
    if is_for_another_version(fields.v, now) or fit(class, found[1], fields, now) then
      put_in_window(class, found[1], fields)
      room = room - 1
    end
  end
  return room > 0 and position(class) or newest_in(class)
end

-- Of a job's boundaries the first that a living worker has served, and its place among them.
local is_home = {}
local function home_of(outline)
  for place, hash in ipairs(boundaries_in(outline)) do
    local wid = redis.call('GET', home(hash))
    if wid then
      if is_home[wid] == nil then is_home[wid] = may_serve(wid, now) end
      if is_home[wid] then return wid, place end
    end
  end
  return '', 0
end

-- Nobody buried me, so my jobs are still mine; but a lease that ended takes no more of them before it is renewed.
local is_late, suspect, is_due, not_on = lease <= now, '', 0, ''
if not is_late then
  local entry_id, fields = first_suspect(host, now)
  if entry_id then
    suspect, not_on = 'sus:' .. entry_id, fields.not_on or ''
    is_due = is_to_make_room(me, entry_id, fields.not_on, now) and 1 or 0
  end
end

-- An empty class costs no more than the look at its length: most looks find little.
local last, filled = {}, {}
for i, class in ipairs(STREAMS) do
  last[i] = '0-0'
  if redis.call('XLEN', jobs(class)) > 0 then
    if class == 'sus' or is_late then
      last[i] = newest_in(class)
    else
      last[i] = fill(class)
      filled[#filled + 1] = class
    end
  end
end

-- A tenant's oldest have its even share. Who asks alone has none to count, and the order is as it comes.
local left_of = {}
local function in_order(open)
  local is_shared = false
  for _, found in ipairs(open) do
    local tenant = found[2].tenant
    left_of[tenant] = left_of[tenant] or left_of_even_share(tenant, now)
    is_shared = is_shared or left_of[tenant] < math.huge
  end
  if not is_shared then return open end
  for _, found in ipairs(open) do
    local ms, seq = string.match(found[1], '^(%d+)-(%d+)$')
    found.ms, found.seq = tonumber(ms), tonumber(seq)
  end
  table.sort(open, function(one, other) return one.ms < other.ms or one.ms == other.ms and one.seq < other.seq end)
  return open
end

-- What was given back has waited before.
local function is_beyond_share(class, tenant)
  if class == 're' then return false end
  left_of[tenant] = left_of[tenant] - 1
  return left_of[tenant] <= -1
end

is_at_cap = {} -- who has asked may be known better now
local told = {}
for _, class in ipairs(filled) do
  for _, found in ipairs(in_order(open_in(class))) do
    local entry_id, seen = found[1], found[2]
    if not is_for_another_version(seen.v, now) and not is_kept_from(host, seen.not_on, entry_id, now) then
      local wid, place = home_of(seen.outline)
      told[#told + 1] = {class .. ':' .. entry_id, seen.tenant, seen.outline, wid, place, seen.not_on or '',
                         is_beyond_share(class, seen.tenant) and 1 or 0}
    end
  end
end
local is_one_free, quickest = others_free(me, now)
return {'OK', int(now), {is_one_free and 1 or 0, int(quickest)}, {suspect, is_due, not_on}, last, unpack(told)}
