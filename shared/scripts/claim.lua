-- Take up to `free` waiting jobs, each as a new attempt owned by me.
-- KEYS  1 the queue's prefix
-- ARGV  1 me (incarnation)  2 my host  3 free  4 how many jobs I hold
-- RETURNS  {'OK', {id, attempt, entry, body, seq, deadline_ms, enqueued_ms, tenant, trace, now_ms}, …}
--          {'NONE', last re, hi, std, lo, sus}: the ids behind which a doorbell can wait · {'DEAD'}: no live lease
-- Atomic, since reading the entry, raising the attempt and naming the owner must be one: two claims of one entry
-- would be two workers on one attempt. The only script that starts a job or raises an attempt.
local me, host, free, held = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local WHEEL = {'hi', 'hi', 'hi', 'std', 'hi', 'hi', 'std', 'hi', 'hi', 'std', 'hi', 'lo'} -- 8 : 3 : 1
local NOT_ON_MS = 5000
local now = now_ms()
local lease = tonumber(redis.call('ZSCORE', T .. ':workers', me))
if not lease or lease <= now then return {'DEAD'} end

local function other_host_lives()
  for _, wid in ipairs(redis.call('ZRANGEBYSCORE', T .. ':workers', '(' .. int(now), '+inf')) do
    if string.match(wid, '^(.*)%.[^.]*%.[^.]*$') ~= host then return true end
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
  if fields.v and fields.v ~= '1' then return nil end
  if fields.not_on == host and now - tonumber(string.match(found[1], '^%d+')) < NOT_ON_MS and other_host_lives() then return nil end
  return found[1], fields
end

local function next_entry()
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

-- A record for an entry that came by plain XADD: its timeout counts from this first claim.
local function adopt(id, class, entry_id, fields)
  local enqueued = tonumber(string.match(entry_id, '^%d+'))
  local timeout = tonumber(fields.timeout_ms)
  if not fields.timeout_ms and fields.body and string.find(fields.body, '"timeout_ms"', 1, true) then
    local ok, body = pcall(cjson.decode, fields.body)
    timeout = ok and type(body) == 'table' and tonumber(body.timeout_ms) or nil
  end
  timeout = math.min(math.max(timeout or limit('timeout_ms'), 1), MAX_TIMEOUT_MS)
  local key = T .. ':job:' .. id
  redis.call('HSET', key, 'state', 'waiting', 'attempt', 0, 'seq', 0, 'entry', class .. ':' .. entry_id, 'class', fields.class or class,
             'hash', redis.sha1hex(fields.body or ''), 'deadline', fields.deadline or int(enqueued + limit('wait_ms')),
             'timeout', timeout, 'attached', 0, 'enqueued', int(enqueued), 'tenant', fields.tenant or '', 'trace', fields.trace or '')
  redis.call('PEXPIREAT', key, int(now + MAX_TIMEOUT_MS + limit('retention_ms')))
  if fields.reply then redis.call('HSET', key, 'reply', fields.reply) end
  return load(id)
end

-- Whether an entry can be run at all; ends it or buries it, and returns nil, if not.
local function fit(class, entry_id, fields)
  local id = fields.id or (class .. '-' .. entry_id)
  if #id > 64 or not string.match(id, '^[%w_-]+$') then
    bury(fields, 'bad id', now)
    return drop_entry(class, entry_id)
  end
  local j = load(id)
  if j and j.entry ~= class .. ':' .. entry_id then
    -- The same id again: an equal body is a retry, another one is a mistake that somebody should see.
    if j.hash ~= redis.sha1hex(fields.body or '') then bury(fields, 'same id, other body', now) end
    return drop_entry(class, entry_id)
  end
  if j and j.state == 'ended' then return drop_entry(class, entry_id) end
  j = j or adopt(id, class, entry_id, fields)
  if j.reply and string.sub(j.reply, 1, #T + 7) ~= T .. ':reply:' then
    j.reply = nil
    redis.call('HDEL', j.key, 'reply')
    return conclude(j, 'error', '"code":"invalid_value","message":"`reply` names a stream outside of this queue\'s.","param":"reply"', now)
  end
  if fields.timeout_ms and not tonumber(fields.timeout_ms) then
    return conclude(j, 'error', '"code":"invalid_value","message":"`timeout_ms` is not a number.","param":"timeout_ms"', now)
  end
  if not fields.body then
    return conclude(j, 'error', '"code":"missing_field","message":"`body` is missing.","param":"body"', now)
  end
  if #fields.body > limit('body_bytes') then
    return conclude_error(j, 'body_too_large', 'The body is larger than this queue takes.', now)
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
  return {j.id, j.attempt, class .. ':' .. entry_id, fields.body, j.seq, int(j.deadline), int(j.enqueued), j.tenant or '', j.trace or '', int(now)}
end

local granted = {'OK'}
for _ = 1, free + 64 do -- 64: what is over or broken is cleared away in passing, a bounded amount a call
  if #granted > free then break end
  local class, entry_id, fields = next_entry()
  if not class then break end
  redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', 1, 'STREAMS', jobs(class), '>')
  local j = fit(class, entry_id, fields)
  if j then
    granted[#granted + 1] = grant(j, class, entry_id, fields)
    held = held + 1
    if class == 'sus' then break end
  end
end
if #granted > 1 then return granted end

local none = {'NONE'}
for _, class in ipairs(STREAMS) do
  none[#none + 1] = redis.call('EXISTS', jobs(class)) == 1 and map(redis.call('XINFO', 'STREAM', jobs(class)))['last-generated-id'] or '0-0'
end
return none
