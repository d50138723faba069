-- The words that looking and taking share: which entries are for whom, what can be run at all, who is home to what.
local VERSION, NOT_ON_MS, NOT_ON_LOADING_MS, ROOM_AFTER_MS, HOME_MS = '1', 5000, 30000, 3000, 1200000

-- Whether a worker announces this version of the protocol: then its entries are for that one, else for nobody.
local function somebody_knows(version, now)
  for _, wid in ipairs(live_workers(now)) do
    if redis.call('HGET', T .. ':worker:' .. wid, 'v') == version then return true end
  end
  return false
end

local function is_for_another_version(v, now) return v and v ~= VERSION and somebody_knows(v, now) end

-- Whether another host will be ready soon.
local function other_host_comes(host, now)
  for _, wid in ipairs(live_workers(now)) do
    local told = host_of(wid) ~= host and redis.call('HMGET', T .. ':worker:' .. wid, 'state', 'coming')
    if told and (told[1] == 'loading' or told[1] == 'standby' and told[2] == '1') then return true end
  end
  return false
end

-- For a while, what a host gave back is for the others, if there are any; for longer while one of them is loading.
local function is_kept_from(host, not_on, entry_id, now)
  if not_on ~= host then return false end
  local age = now - ms_of(entry_id)
  return age < NOT_ON_MS and other_host_lives(host, now) or age < NOT_ON_LOADING_MS and other_host_comes(host, now)
end

-- The first suspect, if it is one for this host: looked at before it is read, since what the group has delivered can't
-- be put back unseen.
local function first_suspect(host, now)
  local found = next_unread('sus')
  if not found then return nil end
  local fields = map(found[2])
  if is_for_another_version(fields.v, now) or is_kept_from(host, fields.not_on, found[1], now) then return nil end
  return found[1], fields
end

-- Busy workers would never be empty for a suspect: after a while the first of those that may take it makes room.
local function is_to_make_room(me, entry_id, not_on, now)
  if now - ms_of(entry_id) < ROOM_AFTER_MS then return false end
  local first
  for _, wid in ipairs(live_workers(now)) do
    local may_take = not is_kept_from(host_of(wid), not_on, entry_id, now)
    if may_take and redis.call('HGET', T .. ':worker:' .. wid, 'state') == 'ready' and (not first or wid < first) then first = wid end
  end
  return first == me
end

-- Whether another worker is free, and how many tokens of prompts the quickest of these reads in a second. As they told
-- with their last beats: good enough to choose by, never to lose a job by.
local function others_free(me, now)
  local is_one, quickest = false, 0
  for _, wid in ipairs(live_workers(now)) do
    local told = wid ~= me and redis.call('HMGET', T .. ':worker:' .. wid, 'state', 'slots', 'busy', 'pressure', 'reads_per_second')
    -- Short of memory it yields as well: two that wait for each other would leave a job to nobody.
    local has_memory = told and (told[4] or '') == ''
    if has_memory and told[1] == 'ready' and (tonumber(told[2]) or 0) > (tonumber(told[3]) or 0) then
      is_one, quickest = true, math.max(quickest, tonumber(told[5]) or 0)
    end
  end
  return is_one, quickest
end

local slots -- counted once, and only while several tenants ask
local function slots_of_all(now)
  if slots then return slots end
  slots = 0
  for _, wid in ipairs(live_workers(now)) do slots = slots + (tonumber(redis.call('HGET', T .. ':worker:' .. wid, 'slots')) or 0) end
  return slots
end

local function running_of(tenant) return tonumber(redis.call('HGET', T .. ':tenants', 'running ' .. tenant)) or 0 end

-- On how many seats more a tenant runs its even share; `math.huge` while it asks alone. What goes beyond it is served by
-- whoever has nothing else, and its prompts are read behind others'.
local function left_of_even_share(tenant, now)
  if not others_ask(tenant, now) then return math.huge end
  return slots_of_all(now) / math.max(2, redis.call('ZCARD', T .. ':seen')) - running_of(tenant)
end

-- Whether a worker is there to go on with what it has served.
local function may_serve(wid, now)
  local lease = tonumber(redis.call('ZSCORE', T .. ':workers', wid))
  return lease and lease > now and redis.call('HGET', T .. ':worker:' .. wid, 'state') == 'ready' or false
end

-- The boundaries by which a job's home is looked for, best first.
local function boundaries_in(outline)
  local hashes = {}
  for hash in string.gmatch(string.match(outline, '^%d+ (%S+) ') or '', '(%x+):') do hashes[#hashes + 1] = hash end
  return hashes
end

local function home(hash) return T .. ':home:' .. hash end

-- From now on I am home to the whole of this prompt, and to what it begins with where no other living worker is.
local function settle(me, outline, now)
  local whole = string.match(outline, '(%x+):%d+$')
  if whole then redis.call('SET', home(whole), me, 'PX', HOME_MS) end
  for _, hash in ipairs(boundaries_in(outline)) do
    local wid = redis.call('GET', home(hash))
    if not wid or wid == me or not may_serve(wid, now) then redis.call('SET', home(hash), me, 'PX', HOME_MS) end
  end
end

-- Whether an entry can be run at all; ends it or buries it, and returns nil, if not.
local function fit(class, entry_id, fields, now)
  local default = class .. '-' .. entry_id
  local id = fields.id or default
  if not is_id(id) then
    bury(fields, 'bad id', now)
    local j = enroll(default, class, entry_id, fields, now)
    return refuse(j, 'invalid_value', 'id', '`id` is not 1 to 64 of A-Z a-z 0-9 _ -.', now)
  end
  local j = load(id)
  if j and j.entry ~= class .. ':' .. entry_id then
    -- The same id again: an equal body is a retry, another one is a mistake that somebody should see.
    if j.hash ~= redis.sha1hex(fields.body or '') then bury(fields, 'same id, other body', now) end
    return drop_entry(class, entry_id)
  end
  if j and j.state == 'ended' then return drop_entry(class, entry_id) end
  j = j or enroll(id, class, entry_id, fields, now)
  if fields.v and fields.v ~= VERSION then
    return refuse(j, 'unsupported', 'v', 'No worker of this queue knows this version.', now)
  end
  if fields.reply and not j.reply then
    return refuse(j, 'invalid_value', 'reply', '`reply` names a stream outside of this queue\'s.', now)
  end
  if fields.timeout_ms and not whole(fields.timeout_ms, MAX_TIMEOUT_MS) then
    return refuse(j, 'invalid_value', 'timeout_ms', '`timeout_ms` is not a number of 1 to ' .. int(MAX_TIMEOUT_MS) .. '.', now)
  end
  if not fields.body then return refuse(j, 'missing_field', 'body', '`body` is missing.', now) end
  if #fields.body > limit('body_bytes') then
    return refuse(j, 'body_too_large', 'body', 'The body is larger than this queue takes.', now)
  end
  if j.cancel then return conclude_cancelled(j, j.cancel, now) end
  if j.deadline > 0 and j.deadline <= now then return conclude_deadline(j, now) end
  if j.attached == '1' and j.unheard > 0 and now - j.unheard >= limit('orphan_ms') and listeners(id) == 0 then
    return conclude_cancelled(j, 'unheard', now)
  end
  return j
end
