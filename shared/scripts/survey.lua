-- The queue as it is now: what waits, what runs, who works.
-- KEYS  1 the queue's prefix
-- RETURNS  {now_ms, oldest wait ms, running, {class, waiting, …}, {wid, lease ends in ms, {fields}, …}, dead letters}
-- Atomic, so that waiting + running adds up.
local now, running, oldest = now_ms(), 0, 0
local waiting, workers = {}, {}
for _, class in ipairs(STREAMS) do
  local key, n = jobs(class), 0
  if redis.call('EXISTS', key) == 1 then
    local last, pending = '0-0', 0
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      local g = map(info)
      if g.name == GROUP then last, pending = g['last-delivered-id'], g.pending end
    end
    n = redis.call('XLEN', key) - pending
    running = running + pending
    local head = n > 0 and redis.call('XRANGE', key, '(' .. last, '+', 'COUNT', 1)[1]
    if head then oldest = math.max(oldest, now - tonumber(string.match(head[1], '^%d+'))) end
  end
  waiting[#waiting + 1] = class
  waiting[#waiting + 1] = n
end
for _, wid in ipairs(redis.call('ZRANGE', T .. ':workers', 0, -1)) do
  workers[#workers + 1] = wid
  workers[#workers + 1] = int(tonumber(redis.call('ZSCORE', T .. ':workers', wid)) - now)
  workers[#workers + 1] = redis.call('HGETALL', T .. ':worker:' .. wid)
end
return {int(now), int(oldest), running, waiting, workers, redis.call('XLEN', T .. ':dead')}
