-- The words that the scripts share: reading a record, logging events, ending a job, giving one back.
--
-- KEYS[1] is the queue's prefix, T = pool:{<model>}, in every script. All other keys are T..':…': one hash tag, one
-- slot, so each script is atomic in a cluster too. Time is the server's alone; no client's clock is ever compared.
local T = KEYS[1]
local GROUP, WINDOW, WINDOW_SIZE, WINDOW_MOST = 'workers', '~win', 64, 1024
local STREAMS = {'re', 'hi', 'std', 'lo', 'sus'}
local DEFAULTS = {waiting = 1000, tenant_waiting = 16, retention_ms = 600000, wait_ms = 86400000, orphan_ms = 30000, body_bytes = 1048576,
                  timeout_ms = 300000}
local MAX_TIMEOUT_MS = 3600000
-- Attempts without a new token, whatever ended them: so many make a suspect, so many a dead letter.
local SUSPECT_AFTER, DEAD_AFTER, HAND_BACKS = 3, 5, 3
-- An engine's death counts against a job that had so few new tokens; as many clear it again.
local YOUNG_TOKENS, STRIKES = 16, 2

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function int(n) return string.format('%.0f', n) end

local function limit(name) return tonumber(redis.call('HGET', T .. ':limits', name)) or DEFAULTS[name] end

local function jobs(class) return T .. ':jobs:' .. class end

-- Stream fields come as {name, value, …}.
local function map(flat)
  local m = {}
  for i = 1, #flat, 2 do m[flat[i]] = flat[i + 1] end
  return m
end

local ALL = {'state', 'attempt', 'owner', 'seq', 'entry', 'class', 'hash', 'deadline', 'timeout', 'cancel', 'attached',
             'unheard', 'mark', 'barren', 'strikes', 'struck_on', 'hand_backs', 'reply', 'enqueued', 'why', 'ending', 'tenant', 'trace',
             'found'}
local HOT = {'state', 'attempt', 'owner', 'seq', 'cancel', 'deadline', 'attached', 'unheard'}
local NUMBERS = {'attempt', 'seq', 'deadline', 'timeout', 'unheard', 'mark', 'barren', 'strikes', 'hand_backs', 'enqueued'}

-- A job's record, or nil. Numbers are numbers, 0 where absent; other absent fields are nil.
local function load(id, fields)
  fields = fields or ALL
  local key = T .. ':job:' .. id
  local values = redis.call('HMGET', key, unpack(fields))
  if not values[1] then return nil end
  local j = {id = id, key = key}
  for i, field in ipairs(fields) do j[field] = values[i] or nil end
  for _, field in ipairs(NUMBERS) do j[field] = tonumber(j[field]) or 0 end
  return j
end

-- A record and its log leave together, always: invariant 6.
local function expire_at(j, at)
  redis.call('PEXPIREAT', j.key, int(at))
  redis.call('PEXPIREAT', T .. ':log:' .. j.id, int(at))
end

local function split_entry(entry)
  local class, id = string.match(entry, '^(%a+):(.+)$')
  return class, id
end

local function ms_of(entry_id) return tonumber(string.match(entry_id, '^%d+')) end

-- A class's window: what has been read for all to see and is nobody's yet. Its entries are delivered to the consumer
-- WINDOW; what is known of each stands in this hash, by entry id.
local function window(class) return T .. ':win:' .. class end

local function drop_entry(class, entry_id)
  redis.call('XACK', jobs(class), GROUP, entry_id)
  redis.call('XDEL', jobs(class), entry_id)
  redis.call('HDEL', window(class), entry_id)
end

-- Log events first, first+1, … of this attempt and publish those that are new. Returns false on a gap, else the
-- number of listeners that heard it (0 when nothing was new).
local function log_events(j, who, first, events)
  if first > j.seq + 1 then return false end
  local old = j.seq + 1 - first
  if old >= #events then return 0 end
  local log, is_first = T .. ':log:' .. j.id, j.seq == 0
  for i = old + 1, #events do redis.call('XADD', log, int(first + i - 1) .. '-' .. j.attempt, 'e', events[i]) end
  j.seq = first + #events - 1
  redis.call('HSET', j.key, 'seq', j.seq)
  if is_first then
    local at = redis.call('PEXPIRETIME', j.key)
    if at > 0 then redis.call('PEXPIREAT', log, int(at)) end -- else the caller sets both
  end
  return redis.call('PUBLISH', T .. ':chan:' .. j.id,
                    j.attempt .. ' ' .. who .. ' ' .. int(first + old) .. '\n' .. table.concat(events, '\n', old + 1))
end

-- How many jobs of a tenant wait and run: moved with every change of a job's state.
local function count_tenant(tenant, state, by)
  local field = state .. ' ' .. (tenant or '')
  if redis.call('HINCRBY', T .. ':tenants', field, by) <= 0 then redis.call('HDEL', T .. ':tenants', field) end
end

-- The terminal event is logged: let everything about the job go, but for its record and log, for the retention time.
local function end_job(j, ending, event, now)
  count_tenant(j.tenant, j.state, -1)
  redis.call('HSET', j.key, 'state', 'ended', 'ending', ending, 'ended', int(now), 'why', j.cancel or j.why or '')
  redis.call('HDEL', j.key, 'owner', 'cancel', 'unheard')
  if j.entry then drop_entry(split_entry(j.entry)) end
  redis.call('ZREM', T .. ':deadlines', j.id)
  expire_at(j, now + limit('retention_ms'))
  if j.reply then
    -- The producer named that key: one that is no stream must not keep the job from ending.
    redis.pcall('XADD', j.reply, 'MAXLEN', '~', '10000', '*', 'id', j.id, 'e', event)
    redis.call('PEXPIRE', j.reply, int(limit('wait_ms')))
  end
end

-- End a job from within a script. `rest` is the event's JSON behind status and seq.
local function conclude(j, ending, rest, now)
  local event = '{"status":"' .. ending .. '","seq":' .. int(j.seq + 1) .. ',' .. rest .. '}'
  log_events(j, '-', j.seq + 1, {event})
  end_job(j, ending, event, now)
end

local function conclude_error(j, code, message, now)
  conclude(j, 'error', '"code":"' .. code .. '","message":"' .. message .. '"', now)
end

-- What a direct job's entry says can't be served; `param` names the field.
local function refuse(j, code, param, message, now)
  conclude(j, 'error', '"code":"' .. code .. '","message":"' .. message .. '","param":"' .. param .. '"', now)
end

local function conclude_cancelled(j, reason, now)
  j.cancel = reason
  conclude(j, 'cancelled', '"reason":' .. cjson.encode(reason), now)
end

local function conclude_deadline(j, now)
  conclude_error(j, 'deadline_exceeded', 'The job was not done within its timeout.', now)
end
