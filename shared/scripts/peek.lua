-- Look at jobs without touching them.
-- KEYS  1 the queue's prefix
-- ARGV  ids
-- RETURNS  for each id: {state, seq, attempt, tenant, ending, enqueued_ms} or {} where unknown or expired
-- Atomic only so that many silent streams cost one round trip.
local reply = {}
for i, id in ipairs(ARGV) do
  local v = redis.call('HMGET', T .. ':job:' .. id, 'state', 'seq', 'attempt', 'tenant', 'ending', 'enqueued')
  reply[i] = v[1] and {v[1], v[2] or '0', v[3] or '0', v[4] or '', v[5] or '', v[6] or '0'} or {}
end
return reply
