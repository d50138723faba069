-- Forget a job: its record and its log go now. One that has not ended is cancelled first, so that its readers hear of it.
-- KEYS  1 the queue's prefix
-- ARGV  1 id
-- RETURNS  1 it was there · 0 no such job
-- Atomic, since a worker could claim the job, or go on with it, between its end and its going. An owner finds itself
-- fenced at its next word.
local j = load(ARGV[1])
if not j then return 0 end
if j.state ~= 'ended' then conclude_cancelled(j, 'forgotten', now_ms()) end
redis.call('DEL', j.key, T .. ':log:' .. j.id)
return 1
