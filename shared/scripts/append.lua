-- Log and publish new events of the jobs that I run, renew my lease, and hear what was asked of those jobs.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  2 lease_ms  then for each job: id, attempt, first seq, number of events, the events
-- RETURNS  {alive, then for each job: 'OK'|'FENCED'|'GAP'|'ERR', seq, ''|'deadline'|reason of a cancel}
-- Atomic, since the fence, the log, its seq and the publishing must agree: an event that is logged but whose seq is
-- not would be logged twice by a replay. One call a flush for the whole batch; replaying it changes nothing.
local me, lease_ms = ARGV[1], tonumber(ARGV[2])
local who = string.match(me, '[^.]*$')
local now = now_ms()
local is_alive = redis.call('ZSCORE', T .. ':workers', me) and 1 or 0
if is_alive == 1 then redis.call('ZADD', T .. ':workers', int(now + lease_ms), me) end

-- Since when nobody hears an attached job; past the orphan grace the owner is told to end it.
local function note_hearing(j, heard)
  if heard > 0 then
    if j.unheard > 0 then redis.call('HSET', j.key, 'unheard', 0) end
  elseif j.unheard == 0 then
    redis.call('HSET', j.key, 'unheard', int(now))
  elseif now - j.unheard >= limit('orphan_ms') and not j.cancel then
    redis.call('HSET', j.key, 'cancel', 'unheard')
    j.cancel = 'unheard'
  end
end

local function append(id, attempt, first, events)
  local j = load(id, HOT)
  if not j or j.owner ~= me or j.attempt ~= attempt then return 'FENCED', 0, '' end
  local before = j.seq
  local heard = log_events(j, who, first, events)
  if not heard then return 'GAP', j.seq, '' end
  -- A replay publishes nothing, so that nobody heard it says nothing.
  if j.attached == '1' and j.seq > before then note_hearing(j, heard) end
  local asked = j.cancel or (j.deadline > 0 and j.deadline <= now and 'deadline') or ''
  return 'OK', j.seq, asked
end

local reply, at = {is_alive}, 3
while at <= #ARGV do
  local id, attempt, first, n = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local events = {}
  for i = 1, n do events[i] = ARGV[at + 3 + i] end
  at = at + 4 + n
  -- One bad job must never abort the others.
  local ok, verdict, seq, asked = pcall(append, id, attempt, first, events)
  reply[#reply + 1] = ok and verdict or 'ERR'
  reply[#reply + 1] = ok and seq or 0
  reply[#reply + 1] = ok and asked or ''
end
return reply
