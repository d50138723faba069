-- The words for a queue's entries: their way back, what can't be run, those that came without a record, the groups.

-- The fields of an entry that are kept when it moves; a producer may have sent thousands of others.
local FIELDS = {'id', 'body', 'class', 'deadline', 'timeout_ms', 'tenant', 'trace', 'reply', 'v', 'not_on', 'outline'}

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
  redis.call('XADD', T .. ':dead', 'MAXLEN', '~', '10000', '*', 'why', why, 'at', int(now), 'on', fields.on or '',
             unpack(flat(fields)))
end

local function host_of(wid) return string.match(wid, '^(.*)%.[^.]*%.[^.]*$') end

local function live_workers(now) return redis.call('ZRANGEBYSCORE', T .. ':workers', '(' .. int(now), '+inf') end

-- Who has not loaded the model counts as well: it does so for what no other host should take.
local function other_host_lives(host, now)
  for _, wid in ipairs(live_workers(now)) do
    if host_of(wid) ~= host then return true end
  end
  return false
end

-- The hosts that the last attempts were at, each once.
local function hosts_of(j)
  local hosts, is_told = {}, {}
  for attempt = math.max(1, j.attempt - 9), j.attempt do
    local claim = redis.call('HGET', j.key, 'claim ' .. attempt) -- when, and the worker
    local host = claim and host_of(string.match(claim, ' (.+)$') or '')
    if host and not is_told[host] then
      hosts[#hosts + 1] = host
      is_told[host] = true
    end
  end
  return table.concat(hosts, ' ')
end

local function poison(j, fields, now)
  fields.id, fields.on = j.id, hosts_of(j)
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
  -- A suspect stays one until it has a token to show, whatever ended its attempt: its worker may have died of it.
  if is_suspect == nil then is_suspect = class == 'sus' and barren > 0 end
  local target = (is_suspect or barren >= SUSPECT_AFTER) and 'sus' or 're'
  local back = redis.call('XADD', jobs(target), '*', unpack(flat(fields)))
  count_tenant(j.tenant, 'running', -1)
  count_tenant(j.tenant, 'waiting', 1)
  redis.call('HSET', j.key, 'state', 'waiting', 'entry', target .. ':' .. back, 'barren', barren,
             'back ' .. j.attempt, int(now))
  redis.call('HDEL', j.key, 'owner')
end

-- An engine died under the job, which had `new_tokens` of this attempt. With few it is a suspect: it waits to run alone.
-- One that ends an engine alone, after another engine before, is poison; where there are two hosts, both have to say so:
-- a sick machine must not condemn what is innocent.
local function strike(j, host, new_tokens, now)
  if new_tokens >= YOUNG_TOKENS then
    redis.call('HDEL', j.key, 'strikes', 'struck_on')
    return give_back(j, '', now, false)
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

local TENANT_SEEN_MS = 60000

local function note_tenant(tenant, now)
  redis.call('ZREMRANGEBYSCORE', T .. ':seen', '-inf', int(now - TENANT_SEEN_MS))
  redis.call('ZADD', T .. ':seen', int(now), tenant or '')
  redis.call('PEXPIRE', T .. ':seen', TENANT_SEEN_MS)
end

-- Whether anybody but this tenant has asked for something in the last minute. Who has no key is a tenant too: ''.
local function others_ask(tenant, now)
  local seen = redis.call('ZRANGEBYSCORE', T .. ':seen', '(' .. int(now - TENANT_SEEN_MS), '+inf', 'LIMIT', 0, 2)
  return seen[2] ~= nil or (seen[1] ~= nil and seen[1] ~= (tenant or ''))
end

-- The record of an entry that came by plain XADD, made when it is first looked at; its timeout counts from its first
-- claim. An entry with a deadline was given back, and its record is gone: it is late, whenever that was.
local function enroll(id, class, entry_id, fields, now)
  local enqueued = ms_of(entry_id)
  local deadline = (class == 're' or class == 'sus') and whole(fields.deadline, 1e15)
  local key, late_at = T .. ':job:' .. id, deadline or enqueued + limit('wait_ms')
  redis.call('HSET', key, 'state', 'waiting', 'attempt', 0, 'seq', 0, 'entry', class .. ':' .. entry_id,
             'class', fields.class or class, 'hash', redis.sha1hex(fields.body or ''),
             'deadline', int(late_at), 'timeout', deadline and 0 or timeout_of(fields),
             'attached', 0, 'enqueued', int(enqueued), 'tenant', fields.tenant or '', 'trace', fields.trace or '')
  -- In this queue's slot, and no key of its own.
  if fields.reply and string.sub(fields.reply, 1, #T + 7) == T .. ':reply:' then
    redis.call('HSET', key, 'reply', fields.reply)
  end
  redis.call('PEXPIREAT', key, int(math.max(now + MAX_TIMEOUT_MS, late_at) + limit('retention_ms')))
  redis.call('ZADD', T .. ':deadlines', int(late_at), id)
  count_tenant(fields.tenant, 'waiting', 1)
  note_tenant(fields.tenant, now)
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

-- The group's reading position in a class: the last entry that it has read, and how many are delivered.
local function position(class)
  if redis.call('XLEN', jobs(class)) > 0 then
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', jobs(class))) do
      local g = map(info)
      if g.name == GROUP then return g['last-delivered-id'], g.pending end
    end
  end
  return '0-0', 0
end

-- How many entries of a class nobody has taken.
local function waiting_in(class)
  local _, pending = position(class)
  return redis.call('XLEN', jobs(class)) - pending + redis.call('HLEN', window(class))
end

-- How many entries of a class somebody runs.
local function running_in(class)
  local _, pending = position(class)
  return pending - redis.call('HLEN', window(class))
end

-- The id of the newest entry that a class ever had.
local function newest_in(class) return map(redis.call('XINFO', 'STREAM', jobs(class)))['last-generated-id'] end

-- The first entry of a class that nobody has read, or nil.
local function next_unread(class)
  if redis.call('XLEN', jobs(class)) == 0 then return nil end
  return redis.call('XRANGE', jobs(class), '(' .. position(class), '+', 'COUNT', 1)[1]
end

-- When the oldest entry of a class came that nobody has taken; nil where none waits. What is in the window was read
-- before all that is not. Whoever may not read jobs (shared/rights) is told of the window only.
local function oldest_in(class)
  local oldest
  for _, entry_id in ipairs(redis.call('HKEYS', window(class))) do oldest = math.min(oldest or math.huge, ms_of(entry_id)) end
  if oldest then return oldest end
  local may_read, unread = pcall(next_unread, class)
  return may_read and unread and ms_of(unread[1]) or nil
end

-- What a prompt begins with, as its producer told; anything else tells only how large it may be.
local function outline_in(fields)
  local outline = fields.outline or ''
  return #outline <= 1024 and string.match(outline, '^%d+ [%x:,-]+ [%x:,-]+$') or int(math.max(1, #(fields.body or '') / 4)) .. ' - -'
end

local function put_in_window(class, entry_id, fields)
  local seen = {tenant = fields.tenant or '', not_on = fields.not_on, v = fields.v, outline = outline_in(fields)}
  redis.call('HSET', window(class), entry_id, cmsgpack.pack(seen))
  return seen
end

local function seen_in_window(packed) return cmsgpack.unpack(packed) end

-- Only what was done to Redis by hand can part the window from what is delivered to it: make it anew from there.
local function mend_window(class)
  local is_there = {}
  for _, p in ipairs(redis.call('XPENDING', jobs(class), GROUP, '-', '+', 10000, WINDOW)) do
    local entry_id = p[1]
    local found = redis.call('XRANGE', jobs(class), entry_id, entry_id)[1]
    if not found then
      redis.call('XACK', jobs(class), GROUP, entry_id)
    else
      is_there[entry_id] = true
      if redis.call('HEXISTS', window(class), entry_id) == 0 then put_in_window(class, entry_id, map(found[2])) end
    end
  end
  for _, entry_id in ipairs(redis.call('HKEYS', window(class))) do
    if not is_there[entry_id] then redis.call('HDEL', window(class), entry_id) end
  end
end
