-- Add a piece to a file that is being uploaded; with the fields of its record it is whole, and can be found.
-- KEYS  1 the file's prefix, pool:bulk:{<id>}
-- ARGV  1 the piece, or ''  2 for how long it is kept, in ms  then the record's names and values, if it is whole
-- RETURNS  the server's time in ms
-- Atomic, since what is written without an end to its life would stay for ever if its writer died in between.
local piece, life_ms = ARGV[1], ARGV[2]
local now = now_ms()
if #piece > 0 then redis.call('RPUSH', T .. ':input:data', piece) end
if #ARGV > 2 then
  redis.call('HSET', T .. ':input', 'created', int(now), 'expires', int(now + life_ms))
  for i = 3, #ARGV, 2 do redis.call('HSET', T .. ':input', ARGV[i], ARGV[i + 1]) end
  redis.call('PEXPIRE', T .. ':input', life_ms)
end
redis.call('PEXPIRE', T .. ':input:data', life_ms)
return now
