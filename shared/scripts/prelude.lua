-- The words that the scripts share: reading a record, logging events, ending a job, giving one back.
--
-- KEYS[1] is the queue's prefix, T = pool:{<model>}, in every script. All other keys are T..':…': one hash tag, one
-- slot, so each script is atomic in a cluster too. Time is the server's alone; no client's clock is ever compared.
local T = KEYS[1]
local GROUP = 'workers'
local STREAMS = {'re', 'hi', 'std', 'lo', 'sus'}
local DEFAULTS = {waiting = 1000, retention_ms = 600000, wait_ms = 86400000, orphan_ms = 30000, body_bytes = 1048576,
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
             'unheard', 'mark', 'barren', 'strikes', 'struck_on', 'hand_backs', 'reply', 'enqueued', 'why', 'ending', 'tenant', 'trace'}
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

local function drop_entry(class, entry_id)
  redis.call('XACK', jobs(class), GROUP, entry_id)
  redis.call('XDEL', jobs(class), entry_id)
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

-- The terminal event is logged: let everything about the job go, but for its record and log, for the retention time.
local function end_job(j, ending, event, now)
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

-- The fields of an entry that are kept when it moves; a producer may have sent thousands of others.
local FIELDS = {'id', 'body', 'class', 'deadline', 'timeout_ms', 'tenant', 'trace', 'reply', 'v', 'not_on'}

local function flat(fields)
  local args = {}
  for _, name in ipairs(FIELDS) do
    if fields[name] then
      args[#args + 1] = name
      args[#args + 1] = fields[name]
    end
  end
  return args
end

-- What can't be run by anyone, kept for the operator; a body only as long as a queue takes one.
local function bury(fields, why, now)
  if fields.body then fields.body = string.sub(fields.body, 1, limit('body_bytes')) end
  redis.call('XADD', T .. ':dead', 'MAXLEN', '~', '10000', '*', 'why', why, 'at', int(now), unpack(flat(fields)))
end

local function host_of(wid) return string.match(wid, '^(.*)%.[^.]*%.[^.]*$') end

local function live_workers(now) return redis.call('ZRANGEBYSCORE', T .. ':workers', '(' .. int(now), '+inf') end

local function other_host_lives(host, now)
  for _, wid in ipairs(live_workers(now)) do
    if host_of(wid) ~= host then return true end
  end
  return false
end

local function poison(j, fields, now)
  fields.id = j.id
  bury(fields, 'poisoned', now)
  conclude_error(j, 'poisoned', 'The job ended its workers again and again; it is kept as a dead letter.', now)
end

-- The one way back: the job becomes an entry of `re` (a suspect: of `sus`), its owner fenced in that instant. Drain,
-- death, lost replies and crashes all come through here.
local function give_back(j, not_on, now, is_suspect)
  if j.cancel then return conclude_cancelled(j, j.cancel, now) end
  local class, entry_id = split_entry(j.entry)
  local found = redis.call('XRANGE', jobs(class), entry_id, entry_id)
  if not found[1] then
    return conclude_error(j, 'stream_lost', 'The queue lost the job.', now)
  end
  local fields = map(found[1][2])
  -- An attempt logs `started` first: one event more than at the claim is no token yet.
  local barren = j.seq > j.mark + 1 and 0 or j.barren + 1
  if barren >= DEAD_AFTER then return poison(j, fields, now) end
  fields.id, fields.class, fields.deadline = j.id, j.class, int(j.deadline)
  fields.not_on = not_on ~= '' and not_on or nil
  drop_entry(class, entry_id)
  local target = (is_suspect or barren >= SUSPECT_AFTER) and 'sus' or 're'
  local back = redis.call('XADD', jobs(target), '*', unpack(flat(fields)))
  redis.call('HSET', j.key, 'state', 'waiting', 'entry', target .. ':' .. back, 'barren', barren)
  redis.call('HDEL', j.key, 'owner')
end

-- An engine died under the job, which had `new_tokens` of this attempt. With few it is a suspect: it waits to run alone.
-- One that ends an engine alone, after another engine before, is poison; where there are two hosts, both have to say so:
-- a sick machine must not condemn what is innocent.
local function strike(j, host, new_tokens, now)
  if new_tokens >= YOUNG_TOKENS then
    redis.call('HDEL', j.key, 'strikes', 'struck_on')
    return give_back(j, '', now)
  end
  local class, entry_id = split_entry(j.entry)
  local strikes = j.strikes + 1
  local is_proven = class == 'sus' and strikes >= STRIKES and (j.struck_on ~= host or not other_host_lives(host, now))
  local found = is_proven and not j.cancel and redis.call('XRANGE', jobs(class), entry_id, entry_id)[1]
  if found then return poison(j, map(found[2]), now) end
  redis.call('HSET', j.key, 'strikes', strikes, 'struck_on', j.struck_on or host)
  give_back(j, host, now, true)
end

-- An entry of a dead worker, or one whose claim reply was lost, goes back; what is over is let go.
local function return_entry(class, entry_id, owner, now)
  local found = redis.call('XRANGE', jobs(class), entry_id, entry_id)
  if not found[1] then
    redis.call('XACK', jobs(class), GROUP, entry_id)
    return 0
  end
  local fields = map(found[1][2])
  local j = load(fields.id or (class .. '-' .. entry_id))
  if j and j.state == 'running' and j.owner == owner and j.entry == class .. ':' .. entry_id then
    give_back(j, '', now)
    return 1
  end
  -- Another entry carries the job, or its record is gone, which outlives every deadline: nobody waits for this one.
  drop_entry(class, entry_id)
  return 0
end

local function is_id(id) return #id <= 64 and string.match(id, '^[%w_-]+$') ~= nil end

-- A whole number of 1 … most, or nil.
local function whole(text, most)
  local n = text and string.match(text, '^%d+$') and tonumber(text)
  return n and n >= 1 and n <= most and n or nil
end

local function timeout_of(fields)
  local timeout = whole(fields.timeout_ms, MAX_TIMEOUT_MS)
  local body = fields.body
  if not fields.timeout_ms and body and #body <= limit('body_bytes') and string.find(body, '"timeout_ms"', 1, true) then
    local ok, ask = pcall(cjson.decode, body)
    timeout = ok and type(ask) == 'table' and type(ask.timeout_ms) == 'number' and ask.timeout_ms or nil
  end
  return math.floor(math.min(math.max(timeout or limit('timeout_ms'), 1), MAX_TIMEOUT_MS))
end

-- The record of an entry that came by plain XADD, made when it is first looked at; its timeout counts from its first
-- claim. An entry with a deadline was given back, and its record is gone: it is late, whenever that was.
local function enroll(id, class, entry_id, fields, now)
  local enqueued = tonumber(string.match(entry_id, '^%d+'))
  local deadline = (class == 're' or class == 'sus') and whole(fields.deadline, 1e15)
  local key = T .. ':job:' .. id
  redis.call('HSET', key, 'state', 'waiting', 'attempt', 0, 'seq', 0, 'entry', class .. ':' .. entry_id,
             'class', fields.class or class, 'hash', redis.sha1hex(fields.body or ''),
             'deadline', int(deadline or enqueued + limit('wait_ms')), 'timeout', deadline and 0 or timeout_of(fields),
             'attached', 0, 'enqueued', int(enqueued), 'tenant', fields.tenant or '', 'trace', fields.trace or '')
  -- In this queue's slot, and no key of its own.
  if fields.reply and string.sub(fields.reply, 1, #T + 7) == T .. ':reply:' then
    redis.call('HSET', key, 'reply', fields.reply)
  end
  redis.call('PEXPIREAT', key, int(now + MAX_TIMEOUT_MS + limit('retention_ms')))
  return load(id)
end

-- A job by its id, also one that came by plain XADD under its default id, which names its entry.
local function find(id, now)
  local j = load(id)
  local class, entry_id = string.match(id, '^(%l+)-(%d+%-%d+)$')
  if j or (class ~= 'hi' and class ~= 'std' and class ~= 'lo') then return j end
  local found = redis.pcall('XRANGE', jobs(class), entry_id, entry_id) -- an error: such a number is no entry's id
  local fields = not found.err and found[1] and map(found[1][2])
  if not fields or fields.id then return nil end
  return enroll(id, class, entry_id, fields, now)
end

-- Cancel a job that has not ended: at once if it waits, by a flag and a hint to its owner if it runs.
local function cancel_job(j, reason, now)
  if j.state == 'waiting' then
    conclude_cancelled(j, reason, now)
    return 'CANCELLED'
  end
  -- `unheard` is withdrawn when somebody submits the job again; a client's cancel must not become that.
  if not j.cancel or j.cancel == 'unheard' then redis.call('HSET', j.key, 'cancel', reason) end
  redis.call('PUBLISH', T .. ':ctl:' .. (j.owner or ''), 'cancel ' .. j.id)
  return 'FLAGGED'
end

local function listeners(id) return redis.call('PUBSUB', 'NUMSUB', T .. ':chan:' .. id)[2] end

local function ensure_group(class)
  local made = redis.pcall('XGROUP', 'CREATE', jobs(class), GROUP, '0', 'MKSTREAM')
  return not (type(made) == 'table' and made.err) -- BUSYGROUP: it was there
end

-- The group's reading position in a class: last delivered id and how many are pending; nil without entries.
local function group(class)
  if redis.call('XLEN', jobs(class)) == 0 then return nil end
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', jobs(class))) do
    local g = map(info)
    if g.name == GROUP then return g['last-delivered-id'], g.pending end
  end
  ensure_group(class)
  return '0-0', 0
end

-- How many entries of a class nobody has claimed.
local function waiting_in(class)
  local last, pending = group(class)
  return last and redis.call('XLEN', jobs(class)) - pending or 0
end
