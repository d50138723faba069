-- The reapers' tick: jobs of dead workers go back, deadlines end, orphans end. Any process may call it at any time.
-- KEYS  1 the queue's prefix
-- ARGV  1 a worker whose own supervisor says that it is gone, or ''
-- RETURNS  {'EARLY'} | {'OK', jobs given back, jobs ended, workers buried}
-- Atomic, since the verdict "dead" and the taking of its jobs must see the same lease.
local reported = ARGV[1]
local now = now_ms()
local TICK_MS, EARLY_MS, LEASE_MS, SILENT_MS, SWEEP_MS, BATCH = 250, 200, 2000, 600, 5000, 100
local tick = map(redis.call('HGETALL', T .. ':tick'))
local last = tonumber(tick.at) or now
if reported == '' and tick.at and now >= last and now - last < EARLY_MS then return {'EARLY'} end
if reported == '' then redis.call('HSET', T .. ':tick', 'at', int(now)) end
local given_back, ended, buried = 0, 0, 0
local DEAD_LETTER_BYTES = 64 * 1024 * 1024
local left = BATCH -- entries that this call may still give back: each carries a body

-- Nobody ticked for three intervals, so Redis itself stood still: what was alive at the last tick gets that time back.
local function forgive_a_stall()
  local gap = now - last
  if gap <= 3 * TICK_MS then return end
  local alive = redis.call('ZRANGEBYSCORE', T .. ':workers', '(' .. int(last), '+inf', 'WITHSCORES')
  for i = 1, #alive, 2 do
    redis.call('ZADD', T .. ':workers', int(math.min(tonumber(alive[i + 1]) + gap - TICK_MS, now + LEASE_MS)), alive[i])
  end
end

-- The clock stepped back: no lease may last longer than one begun now.
local function cut_long_leases()
  for _, wid in ipairs(redis.call('ZRANGEBYSCORE', T .. ':workers', '(' .. int(now + LEASE_MS), '+inf')) do
    redis.call('ZADD', T .. ':workers', int(now + LEASE_MS), wid)
  end
end

local function bury_worker(wid)
  for _, class in ipairs(STREAMS) do
    if left > 0 and redis.call('EXISTS', jobs(class)) == 1 then
      local pending = redis.pcall('XPENDING', jobs(class), GROUP, '-', '+', left, wid)
      for _, p in ipairs(pending.err and {} or pending) do
        given_back = given_back + return_entry(class, p[1], wid, now)
        left = left - 1
      end
    end
  end
  if left <= 0 then return end -- more may be there: next tick
  redis.call('ZREM', T .. ':workers', wid)
  redis.call('DEL', T .. ':worker:' .. wid)
  for _, class in ipairs(STREAMS) do redis.pcall('XGROUP', 'DELCONSUMER', jobs(class), GROUP, wid) end
  buried = buried + 1
end

-- A worker that has not renewed for 0.6 s, and whose control channel nobody holds, is gone: its connections closed with
-- it. Two ticks in a row must say so. Not asked in a cluster, where a node counts its own listeners only, nor for one
-- lease after a stall, a restart or a registration, when connections are still coming back.
local function find_silent()
  local server = redis.pcall('INFO', 'server')
  if type(server) ~= 'string' then return {} end -- it may be denied: then leases decide alone
  local run_id = string.match(server, 'run_id:(%w+)')
  if tick.run_id ~= run_id or now - last > 3 * TICK_MS then
    redis.call('HSET', T .. ':tick', 'run_id', run_id, 'settling', int(now + LEASE_MS))
    return {}
  end
  if now < (tonumber(tick.settling) or 0) or string.find(server, '_mode:cluster', 1, true) then return {} end
  local silent = {}
  for _, wid in ipairs(redis.call('ZRANGEBYSCORE', T .. ':workers', '-inf', int(now + LEASE_MS - SILENT_MS))) do
    local told = redis.call('HMGET', T .. ':worker:' .. wid, 'listens', 'since', 'doubted')
    local is_settled = told[1] == '1' and now - (tonumber(told[2]) or now) > LEASE_MS
    if is_settled and redis.call('PUBSUB', 'NUMSUB', T .. ':ctl:' .. wid)[2] == 0 then
      if now - (tonumber(told[3]) or 0) <= 3 * TICK_MS then
        silent[#silent + 1] = wid
      else
        redis.call('HSET', T .. ':worker:' .. wid, 'doubted', int(now))
      end
    end
  end
  return silent
end

local function end_late_jobs()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', T .. ':deadlines', '-inf', int(now), 'LIMIT', 0, BATCH)) do
    local j = load(id)
    if not j or j.state == 'ended' then
      redis.call('ZREM', T .. ':deadlines', id)
    elseif j.state == 'waiting' or now - j.deadline > SWEEP_MS then
      -- A running job is its owner's to end; one whose owner does not is fenced here.
      conclude_deadline(j, now)
      ended = ended + 1
    end
  end
end

-- Attached jobs whose gateway died hear nobody; a few are looked at each tick, all of them in turn.
local function end_orphans()
  local scan = redis.call('ZSCAN', T .. ':deadlines', tick.sweep or '0', 'COUNT', 20)
  redis.call('HSET', T .. ':tick', 'sweep', scan[1])
  for i = 1, #scan[2], 2 do
    local j = load(scan[2][i])
    if j and j.attached == '1' and j.state == 'waiting' then
      if listeners(j.id) > 0 then
        if j.unheard > 0 then redis.call('HSET', j.key, 'unheard', 0) end
      elseif j.unheard == 0 then
        redis.call('HSET', j.key, 'unheard', int(now))
      elseif now - j.unheard >= limit('orphan_ms') then
        conclude_cancelled(j, 'unheard', now)
        ended = ended + 1
      end
    end
  end
end

-- Every five seconds: consumers that have no lease, and direct entries that waited too long or are too many.
local function sweep()
  redis.call('HSET', T .. ':tick', 'swept', int(now))
  for _, class in ipairs(STREAMS) do
    local consumers = redis.call('EXISTS', jobs(class)) == 1 and redis.pcall('XINFO', 'CONSUMERS', jobs(class), GROUP) or {}
    for _, info in ipairs(consumers.err and {} or consumers) do
      local consumer = map(info)
      if consumer.name == WINDOW then
        if consumer.pending ~= redis.call('HLEN', window(class)) then mend_window(class) end
      elseif not redis.call('ZSCORE', T .. ':workers', consumer.name) then
        bury_worker(consumer.name)
      end
    end
  end
  -- With no job left there is nothing to count: what records that expired without an end have left in it.
  if redis.call('ZCARD', T .. ':deadlines') == 0 then redis.call('DEL', T .. ':tenants') end
  redis.call('XTRIM', T .. ':dead', 'MINID', '~', int(now - 7 * 86400000))
  local bytes = redis.pcall('MEMORY', 'USAGE', T .. ':dead') -- false: no dead letters; an error: it may be denied
  if type(bytes) == 'number' and bytes > DEAD_LETTER_BYTES then
    redis.call('XTRIM', T .. ':dead', 'MAXLEN', math.floor(redis.call('XLEN', T .. ':dead') * DEAD_LETTER_BYTES / bytes / 2))
  end
end

local function end_entry(class, found, code, message)
  local fields = map(found[2])
  local id = fields.id or (class .. '-' .. found[1])
  local j = is_id(id) and (load(id) or enroll(id, class, found[1], fields, now))
  if j and j.state == 'waiting' and j.entry == class .. ':' .. found[1] then
    conclude_error(j, code, message, now)
  else
    drop_entry(class, found[1])
  end
  ended = ended + 1
end

local function trim_direct()
  local most = limit('waiting') * 10
  for _, class in ipairs({'std', 'lo'}) do
    local unread, too_many = '(' .. position(class), waiting_in(class) - most
    if too_many > 0 then
      for _, found in ipairs(redis.call('XREVRANGE', jobs(class), '+', unread, 'COUNT', math.min(too_many, BATCH))) do
        end_entry(class, found, 'queue_full', 'The queue is full.')
      end
    end
    for _, found in ipairs(redis.call('XRANGE', jobs(class), unread, int(now - limit('wait_ms')), 'COUNT', BATCH)) do
      end_entry(class, found, 'deadline_exceeded', 'The job waited too long.')
    end
  end
end

-- Cancels by those who have only plain commands: XADD T:cancels * id <job>.
local function hear_cancels()
  for _, found in ipairs(redis.call('XRANGE', T .. ':cancels', '-', '+', 'COUNT', BATCH)) do
    local id = map(found[2]).id or ''
    local j = find(id, now)
    redis.call('XDEL', T .. ':cancels', found[1])
    if j and j.state ~= 'ended' then
      if cancel_job(j, 'cancelled', now) == 'CANCELLED' then ended = ended + 1 end
    elseif not j and is_id(id) then
      -- Its entry may lie there without a record until its first claim, which finds this.
      redis.call('HSET', T .. ':job:' .. id, 'cancel', 'cancelled')
      redis.call('PEXPIRE', T .. ':job:' .. id, int(limit('wait_ms')))
    end
  end
end

if reported ~= '' then
  bury_worker(reported)
  return {'OK', given_back, ended, buried}
end
forgive_a_stall()
cut_long_leases()
for _, wid in ipairs(redis.call('ZRANGEBYSCORE', T .. ':workers', '-inf', int(now), 'LIMIT', 0, 10)) do bury_worker(wid) end
for _, wid in ipairs(find_silent()) do bury_worker(wid) end
end_late_jobs()
end_orphans()
hear_cancels()
if now - (tonumber(tick.swept) or 0) >= SWEEP_MS then sweep() end
trim_direct()
return {'OK', given_back, ended, buried}
