-- Put jobs on the queue: all of them or none, each id at most once.
-- KEYS  1 the queue's prefix
-- ARGV  1 class (hi|std|lo)  2 attached (1: a gateway's, ended when nobody listens)  3 may wait (1: the timeout counts
--       from the first claim)  4 tenant  5 traceparent or ''  then for each job: id, body, timeout_ms, outline or ''
-- RETURNS  {'OK', state, is_new, …} one pair a job · {'FULL', waiting, oldest_ms} · {'CROWDED', waiting} of this tenant,
--          while others ask too · {'MISMATCH', id} · an error for a class, id or timeout that is none; nothing was
--          written then
-- Atomic, since two gateways that count the queue and then add to it would pass its limit together, and a submit
-- that is retried after a lost reply must find that its job is there.
local class, attached, may_wait, tenant, trace = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now = now_ms()
local reply, fresh, reprieved, hashes = {'OK'}, {}, {}, {}
if class ~= 'hi' and class ~= 'std' and class ~= 'lo' then return redis.error_reply('ERR class is hi, std or lo') end

for i = 6, #ARGV, 4 do
  local id, body, timeout = ARGV[i], ARGV[i + 1], whole(ARGV[i + 2], MAX_TIMEOUT_MS)
  if not is_id(id) then return redis.error_reply('ERR id is 1 to 64 of A-Z a-z 0-9 _ -') end
  if not timeout then return redis.error_reply('ERR timeout_ms is a number of 1 to ' .. int(MAX_TIMEOUT_MS)) end
  local j, hash = load(id), redis.sha1hex(body)
  if (j and j.hash or hashes[id] or hash) ~= hash then return {'MISMATCH', id} end
  local again = j and j.state == 'ended' and j.ending == 'cancelled' and j.why == 'unheard'
  if hashes[id] then -- this very call adds it
    reply[#reply + 1] = 'waiting'
    reply[#reply + 1] = 0
  elseif j and not again then
    if j.cancel == 'unheard' then reprieved[#reprieved + 1] = j.key end
    reply[#reply + 1] = j.state
    reply[#reply + 1] = 0
  else
    hashes[id] = hash
    fresh[#fresh + 1] = {id = id, body = body, timeout = timeout, outline = ARGV[i + 3] or '', attempt = j and j.attempt or 0}
    reply[#reply + 1] = 'waiting'
    reply[#reply + 1] = 1
  end
end

local waiting, found = 0, {}
for _, name in ipairs(#fresh > 0 and STREAMS or {}) do
  found[name] = waiting_in(name)
  waiting = waiting + found[name]
end
if #fresh > 0 and waiting + #fresh > limit('waiting') then
  local oldest = now
  for _, name in ipairs({'hi', 'std', 'lo'}) do oldest = math.min(oldest, oldest_in(name) or now) end
  return {'FULL', waiting, math.max(0, now - oldest)}
end

-- One tenant's flood must not become everybody's wait. Bulk work has a class of its own, and waits behind all others.
local held = tonumber(redis.call('HGET', T .. ':tenants', 'waiting ' .. tenant)) or 0
if class ~= 'lo' and #fresh > 0 and held > 0 and held + #fresh > limit('tenant_waiting') and others_ask(tenant, now) then
  return {'CROWDED', held}
end

-- They were about to be ended because nobody listened; now somebody does. finish honours the cleared flag.
for _, key in ipairs(reprieved) do redis.call('HDEL', key, 'cancel') end
if #fresh > 0 then note_tenant(tenant, now) end
-- What a job found waiting, by class: with how long it waited it says how the line moves.
local function counts()
  local told = {}
  for at, name in ipairs(STREAMS) do told[at] = int(found[name]) end
  return table.concat(told, ' ')
end

local place
for _, f in ipairs(fresh) do
  local key = T .. ':job:' .. f.id
  local deadline = may_wait == '1' and now + limit('wait_ms') or now + f.timeout
  redis.call('DEL', key, T .. ':log:' .. f.id)
  count_tenant(tenant, 'waiting', 1)
  local entry = redis.call('XADD', jobs(class), '*', 'id', f.id, 'body', f.body, 'tenant', tenant, 'trace', trace, 'v', '1', 'outline', f.outline)
  -- Its number among all entries that the stream ever had, by which `ahead` finds out how many are before it.
  place = place and place + 1 or map(redis.call('XINFO', 'STREAM', jobs(class)))['entries-added']
  redis.call('HSET', key, 'state', 'waiting', 'attempt', f.attempt, 'seq', 0, 'entry', class .. ':' .. entry, 'class', class,
             'place', int(place), 'hash', redis.sha1hex(f.body), 'deadline', int(deadline), 'timeout', may_wait == '1' and f.timeout or 0,
             'attached', attached, 'enqueued', int(now), 'tenant', tenant, 'trace', trace, 'found', counts())
  found[class] = found[class] + 1
  redis.call('PEXPIREAT', key, int(deadline + limit('retention_ms')))
  redis.call('ZADD', T .. ':deadlines', int(deadline), f.id)
end
return reply
