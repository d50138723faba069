-- Take up to `free` waiting jobs, each as a new attempt owned by me.
-- KEYS  1 the queue's prefix
-- ARGV  1 me (incarnation)  2 my host  3 free  4 how many jobs I hold  5 '1': nothing for me while another is free
-- RETURNS  {'OK', {id, attempt, entry, body, seq, deadline_ms, enqueued_ms, tenant, trace, now_ms}, …}
--          {'NONE', last re, hi, std, lo, sus}: the ids behind which a doorbell can wait · {'DEAD'}: no lease
-- Atomic, since reading the entry, raising the attempt and naming the owner must be one: two claims of one entry
-- would be two workers on one attempt. The only script that starts a job or raises an attempt.
local me, host, free, held = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local WHEEL = {'hi', 'hi', 'hi', 'std', 'hi', 'hi', 'std', 'hi', 'hi', 'std', 'hi', 'lo'} -- 8 : 3 : 1
local NOT_ON_MS, ROOM_AFTER_MS, VERSION = 5000, 3000, '1'
local now = now_ms()
local lease = tonumber(redis.call('ZSCORE', T .. ':workers', me))
if not lease then return {'DEAD'} end

-- Whether a worker announces this version of the protocol: then its entries are for that one, else for nobody.
local function somebody_knows(version)
  for _, wid in ipairs(live_workers(now)) do
    if redis.call('HGET', T .. ':worker:' .. wid, 'v') == version then return true end
  end
  return false
end

-- The first unread entry of a class if it is one for me, else nil: looked at before it is read, since what the
-- group has delivered can't be put back unseen.
local function head(class)
  local last = group(class)
  local found = last and redis.call('XRANGE', jobs(class), '(' .. last, '+', 'COUNT', 1)[1]
  if not found then return nil end
  local fields = map(found[2])
  if fields.v and fields.v ~= VERSION and somebody_knows(fields.v) then return nil end
  if fields.not_on == host and now - tonumber(string.match(found[1], '^%d+')) < NOT_ON_MS and other_host_lives(host, now) then return nil end
  return found[1], fields
end

-- Busy workers would never be empty for a suspect: after a while the first of those that may take it makes room.
local function is_to_take_the_suspect()
  local entry_id, fields = head('sus')
  if not entry_id or now - tonumber(string.match(entry_id, '^%d+')) < ROOM_AFTER_MS then return false end
  local first
  for _, wid in ipairs(live_workers(now)) do
    local may_take = host_of(wid) ~= fields.not_on or not other_host_lives(fields.not_on, now)
    if may_take and redis.call('HGET', T .. ':worker:' .. wid, 'state') == 'ready' and (not first or wid < first) then first = wid end
  end
  return first == me
end

-- As the workers told with their last beats: good enough to choose by, never to lose a job by.
local function another_is_free()
  for _, wid in ipairs(live_workers(now)) do
    local told = wid ~= me and redis.call('HMGET', T .. ':worker:' .. wid, 'state', 'slots', 'busy', 'pressure')
    -- Short of memory it yields as well: two that wait for each other would leave a job to nobody.
    local has_memory = told and (told[4] or '') == ''
    if has_memory and told[1] == 'ready' and (tonumber(told[2]) or 0) > (tonumber(told[3]) or 0) then return true end
  end
  return false
end

local function next_entry()
  if is_to_take_the_suspect() then
    if held > 0 then return nil end
    return 'sus', head('sus')
  end
  local turn = tonumber(redis.call('HGET', T .. ':worker:' .. me, 'turn')) or 0
  for _, class in ipairs({'re', WHEEL[turn % #WHEEL + 1], 'hi', 'std', 'lo'}) do
    local entry_id, fields = head(class)
    if entry_id then return class, entry_id, fields end
  end
  -- A suspect runs alone: it must not take neighbours along.
  if held == 0 then
    local entry_id, fields = head('sus')
    if entry_id then return 'sus', entry_id, fields end
  end
end

-- Whether an entry can be run at all; ends it or buries it, and returns nil, if not.
local function fit(class, entry_id, fields)
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

local function grant(j, class, entry_id, fields)
  j.attempt = j.attempt + 1
  if j.timeout > 0 then
    j.deadline = now + j.timeout
    redis.call('HSET', j.key, 'timeout', 0)
  end
  redis.call('HSET', j.key, 'state', 'running', 'attempt', j.attempt, 'owner', me, 'mark', j.seq, 'deadline', int(j.deadline))
  redis.call('ZADD', T .. ':deadlines', int(j.deadline), j.id)
  expire_at(j, j.deadline + limit('retention_ms'))
  redis.call('HINCRBY', T .. ':worker:' .. me, 'turn', 1)
  redis.call('PEXPIRE', T .. ':worker:' .. me, 10000, 'NX') -- it may have expired: then this made it anew
  return {j.id, j.attempt, class .. ':' .. entry_id, fields.body, j.seq, int(j.deadline), int(j.enqueued), j.tenant or '', j.trace or '', int(now)}
end

-- Nobody buried me, so my jobs are still mine; but a lease that ended takes no more of them before it is renewed.
local is_late = lease <= now or (ARGV[5] == '1' and another_is_free())
local granted, is_through = {'OK'}, is_late
for _ = 1, is_late and 0 or free + 64 do -- 64: what is over or broken is cleared away in passing, a bounded amount a call
  if #granted > free then break end
  local class, entry_id, fields = next_entry()
  if not class then
    is_through = true
    break
  end
  redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', 1, 'STREAMS', jobs(class), '>')
  local j = fit(class, entry_id, fields)
  if j then
    granted[#granted + 1] = grant(j, class, entry_id, fields)
    held = held + 1
    if class == 'sus' then break end
  end
end
if #granted > 1 then return granted end

-- Behind the newest entries; where more is to be cleared away, behind the last one read, so that the bell rings at once.
local none = {'NONE'}
for _, class in ipairs(STREAMS) do
  if redis.call('EXISTS', jobs(class)) == 0 then
    none[#none + 1] = '0-0'
  elseif is_through then
    none[#none + 1] = map(redis.call('XINFO', 'STREAM', jobs(class)))['last-generated-id']
  else
    none[#none + 1] = group(class) or '0-0'
  end
end
return none
