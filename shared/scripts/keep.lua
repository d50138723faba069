-- Keep a note beside a job: what its producer wants to find again for as long as the job is known.
-- KEYS  1 the queue's prefix
-- ARGV  1 id  2 the note
-- RETURNS  1 it is kept, or an earlier one is · 0 no such job
-- Atomic, since a record that expires between the look and the writing would be made anew, without an end to its life.
local key = T .. ':job:' .. ARGV[1]
if redis.call('EXISTS', key) == 0 then return 0 end
redis.call('HSETNX', key, 'note', ARGV[2])
return 1
