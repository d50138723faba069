-- My engine died under a job: back to the queue, and remembered against it if it got no token out.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  then for each job: id, attempt
-- RETURNS  one 'OK' | 'FENCED' a job
-- Atomic, since an engine's whole batch goes back at once, before any of it is claimed again.
local me, now, reply = ARGV[1], now_ms(), {}
for i = 2, #ARGV, 2 do
  local j = load(ARGV[i])
  if j and j.owner == me and j.attempt == tonumber(ARGV[i + 1]) then
    give_back(j, '', now)
    reply[#reply + 1] = 'OK'
  else
    reply[#reply + 1] = 'FENCED'
  end
end
return reply
