-- Take jobs that wait, each as a new attempt owned by me.
-- KEYS  1 the queue's prefix
-- ARGV  1 me (incarnation)  2 how many at most  then the entries, as `look` named them, the wanted ones first
-- RETURNS  {'OK', for each entry {id, attempt, entry, body, seq, deadline_ms, enqueued_ms, tenant, trace, outline, now_ms,
--          what it found waiting as `re hi std lo sus`, or '', the class it came in, beyond the tenant's even share (0|1)}
--          or {}: somebody else has it, it is over, or enough were had before} · {'DEAD'}: no lease
-- Atomic, since finding the entry, raising the attempt and naming the owner must be one: two takes of one entry would
-- be two workers on one attempt. The only script that starts a job or raises an attempt. A reply that is lost leaves
-- jobs with me that I do not know of: `mine` gives them back.
local me = ARGV[1]
local now = now_ms()
local lease = tonumber(redis.call('ZSCORE', T .. ':workers', me))
if not lease then return {'DEAD'} end

local function grant(j, class, entry_id, fields)
  j.attempt = j.attempt + 1
  if j.timeout > 0 then
    j.deadline = now + j.timeout
    redis.call('HSET', j.key, 'timeout', 0)
  end
  local has_waited = class == 're' or class == 'sus' -- and may have a reader in mid-stream
  local is_beyond_share = not has_waited and left_of_even_share(j.tenant or '', now) <= 0
  count_tenant(j.tenant, 'waiting', -1)
  count_tenant(j.tenant, 'running', 1)
  redis.call('HSET', j.key, 'state', 'running', 'attempt', j.attempt, 'owner', me, 'mark', j.seq, 'deadline', int(j.deadline),
             'claim ' .. j.attempt, int(now) .. ' ' .. me) -- for who asks later how the job fared
  redis.call('ZADD', T .. ':deadlines', int(j.deadline), j.id)
  expire_at(j, j.deadline + limit('retention_ms'))
  local outline = outline_in(fields)
  settle(me, outline, now)
  return {j.id, j.attempt, class .. ':' .. entry_id, fields.body, j.seq, int(j.deadline), int(j.enqueued), j.tenant or '', j.trace or '', outline, int(now),
          j.found or '', j.class or class, is_beyond_share and 1 or 0}
end

-- A suspect was never read for others to see: I read it myself.
local function fetch_suspect(entry_id)
  local first, fields = first_suspect(host_of(me), now)
  if first ~= entry_id then return nil end
  ensure_group('sus')
  redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', 1, 'STREAMS', jobs('sus'), '>')
  return fields
end

-- An entry of the window, delivered to me; nil if it does not wait there any more.
local function fetch(class, entry_id)
  local packed = redis.call('HGET', window(class), entry_id)
  if not packed or is_for_another_version(seen_in_window(packed).v, now) then return nil end
  redis.call('HDEL', window(class), entry_id)
  local found = redis.call('XRANGE', jobs(class), entry_id, entry_id)[1]
  if not found then -- deleted by hand
    redis.call('XACK', jobs(class), GROUP, entry_id)
    return nil
  end
  redis.call('XCLAIM', jobs(class), GROUP, me, 0, entry_id, 'JUSTID')
  return map(found[2])
end

local function take(entry)
  local class, entry_id = split_entry(entry)
  local fields = class == 'sus' and fetch_suspect(entry_id) or class ~= 'sus' and fetch(class, entry_id)
  local j = fields and fit(class, entry_id, fields, now)
  return j and grant(j, class, entry_id, fields) or {}
end

local most = lease > now and tonumber(ARGV[2]) or 0
local told = {'OK'}
for i = 3, #ARGV do
  local taken = most > 0 and take(ARGV[i]) or {}
  if taken[1] then most = most - 1 end
  told[i - 1] = taken
end
return told
