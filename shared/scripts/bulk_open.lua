-- Begin a batch: many requests out of a file, to be run when there is time.
-- KEYS  1 the batch's prefix, pool:bulk:{<id>}
-- ARGV  1 within how many ms it is to be done  2 for how long it is kept behind that, in ms  then its names and values
-- RETURNS  the server's time in ms
-- Atomic, since a batch is there whole or not at all, and its times are the server's.
local within_ms, life_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
redis.call('HSET', T .. ':batch', 'status', 'validating', 'created', int(now), 'expires', int(now + within_ms), 'line', 0,
           'offset', 0, 'commits', 0, 'epoch', 0)
for i = 3, #ARGV, 2 do redis.call('HSET', T .. ':batch', ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', T .. ':batch', int(within_ms + life_ms))
return now
