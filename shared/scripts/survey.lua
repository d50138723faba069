-- The queue as it is now: what waits, what runs, who works.
-- KEYS  1 the queue's prefix
-- RETURNS  {now_ms, oldest wait ms, running, {class, waiting, …}, {wid, lease ends in ms, {fields}, …}, dead letters}
-- Atomic, so that waiting + running adds up.
local now, running, oldest = now_ms(), 0, 0
local waiting, workers = {}, {}
for _, class in ipairs(STREAMS) do
  local n = waiting_in(class)
  running = running + running_in(class)
  if n > 0 then oldest = math.max(oldest, now - (oldest_in(class) or now)) end
  waiting[#waiting + 1] = class
  waiting[#waiting + 1] = n
end
for _, wid in ipairs(redis.call('ZRANGE', T .. ':workers', 0, -1)) do
  workers[#workers + 1] = wid
  workers[#workers + 1] = int(tonumber(redis.call('ZSCORE', T .. ':workers', wid)) - now)
  workers[#workers + 1] = redis.call('HGETALL', T .. ':worker:' .. wid)
end
return {int(now), int(oldest), running, waiting, workers, redis.call('XLEN', T .. ':dead')}
