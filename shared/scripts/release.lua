-- Hand a job that I run over to another worker, or say that it does not fit on mine.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  2 id  3 attempt  4 the host that should not take it next, or ''  5 '1': my machine has no room for it
-- RETURNS  'OK' | 'FENCED'
-- Atomic, since the job must be nobody's and waiting in the same instant.
local me, id, attempt, not_on, is_too_large = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'
local j = load(id)
if not j or j.owner ~= me or j.attempt ~= attempt then return 'FENCED' end
local now = now_ms()
local is_barren = j.seq <= j.mark + 1
-- A drain says nothing of the job: only want of room is counted.
local hand_backs = is_barren and j.hand_backs + (is_too_large and 1 or 0) or 0
-- What would be a dead letter now is no poison if it is too large: that has a name of its own.
local is_last = is_barren and is_too_large and j.barren + 1 >= DEAD_AFTER
if hand_backs >= HAND_BACKS or is_last then
  conclude_error(j, 'does_not_fit', 'No worker of this queue has room for the job.', now)
  return 'OK'
end
redis.call('HSET', j.key, 'hand_backs', hand_backs)
give_back(j, not_on, now)
return 'OK'
