-- My engine died under these jobs: back to the queue, and remembered against those that may have ended it.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  2 my host  then for each job: id, attempt, new tokens of this attempt
-- RETURNS  one 'OK' | 'FENCED' a job
-- Atomic, since an engine's whole batch goes back at once, before any of it is claimed again.
local me, host, now, reply = ARGV[1], ARGV[2], now_ms(), {}
for i = 3, #ARGV, 3 do
  local j = load(ARGV[i])
  if j and j.owner == me and j.attempt == tonumber(ARGV[i + 1]) then
    strike(j, host, tonumber(ARGV[i + 2]), now)
    reply[#reply + 1] = 'OK'
  else
    reply[#reply + 1] = 'FENCED'
  end
end
return reply
