-- Cancel a job: at once if it waits, by a flag its owner will see if it runs.
-- KEYS  1 the queue's prefix
-- ARGV  1 id  2 reason  3 '1': only if nobody listens to it
-- RETURNS  'ENDED' it was over · 'CANCELLED' · 'FLAGGED' · 'HEARD' somebody listens · 'UNKNOWN'
-- Atomic, since between a look at the state and the deed a worker could claim the job.
local id, reason, if_unheard = ARGV[1], ARGV[2], ARGV[3]
local now = now_ms()
local j = load(id)
if not j then
  -- A direct job under its default id has no record before its first claim; its id names its entry.
  local class, entry_id = string.match(id, '^(%a+)-(%d+%-%d+)$')
  if class ~= 'hi' and class ~= 'std' and class ~= 'lo' then return 'UNKNOWN' end
  local found = redis.call('XRANGE', jobs(class), entry_id, entry_id)[1]
  if not found or map(found[2]).id then return 'UNKNOWN' end
  local key = T .. ':job:' .. id
  redis.call('HSET', key, 'state', 'waiting', 'attempt', 0, 'seq', 0, 'entry', class .. ':' .. entry_id, 'class', class,
             'hash', redis.sha1hex(map(found[2]).body or ''))
  redis.call('PEXPIREAT', key, int(now + limit('retention_ms')))
  j = load(id)
end
if j.state == 'ended' then return 'ENDED' end
if if_unheard == '1' and listeners(id) > 0 then return 'HEARD' end
if j.state == 'waiting' then
  conclude_cancelled(j, reason, now)
  return 'CANCELLED'
end
redis.call('HSET', j.key, 'cancel', reason)
if j.owner then redis.call('PUBLISH', T .. ':ctl:' .. j.owner, 'cancel ' .. id) end
return 'FLAGGED'
