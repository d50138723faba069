-- Give back what was delivered to me but never reached me: the reply to a claim was lost.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  2 min idle ms  then the entries that I hold (<class>:<entry id>)
-- RETURNS  how many went back
-- Atomic, since the entry must not be claimed twice between the look and the return. Never adopted: a job whose
-- claim's reply is merely late would run twice under one attempt.
local me, now, back, held = ARGV[1], now_ms(), 0, {}
for i = 3, #ARGV do held[ARGV[i]] = true end
for _, class in ipairs(STREAMS) do
  if redis.call('EXISTS', jobs(class)) == 1 then
    local pending = redis.pcall('XPENDING', jobs(class), GROUP, 'IDLE', ARGV[2], '-', '+', #ARGV + 100, me)
    if not pending.err then
      for _, p in ipairs(pending) do
        if not held[class .. ':' .. p[1]] then back = back + return_entry(class, p[1], me, now) end
      end
    end
  end
end
return back
