-- Cancel a job: at once if it waits, by a flag its owner will see if it runs.
-- KEYS  1 the queue's prefix
-- ARGV  1 id  2 reason  3 '1': only if nobody listens to it
-- RETURNS  'ENDED' it was over · 'CANCELLED' · 'FLAGGED' · 'HEARD' somebody listens · 'UNKNOWN'
-- Atomic, since between a look at the state and the deed a worker could claim the job.
local id, reason, if_unheard = ARGV[1], ARGV[2], ARGV[3]
local now = now_ms()
local j = find(id, now)
if not j then return 'UNKNOWN' end
if j.state == 'ended' then return 'ENDED' end
if if_unheard == '1' and listeners(id) > 0 then return 'HEARD' end
return cancel_job(j, reason, now)
