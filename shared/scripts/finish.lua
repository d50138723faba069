-- End a job that I run: its last events, the last of them terminal, and its leaving the queue.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  2 id  3 attempt  4 first seq  5 ending (done|error|cancelled)  then the events
-- RETURNS  {'OK'|'FENCED'|'GAP'|'GONE'|'BACK', seq}; BACK: somebody wants it again, so it went back to the queue
-- Atomic, since a job whose end is logged but whose entry is still pending would run again.
local me, id, attempt, first, ending = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local events = {}
for i = 6, #ARGV do events[#events + 1] = ARGV[i] end
local j = load(id)
if not j then return {'GONE', 0} end
if j.attempt == attempt and j.state == 'ended' then return {'OK', j.seq} end
if j.attempt ~= attempt or j.owner ~= me then return {'FENCED', j.seq} end
local now = now_ms()
if ending == 'cancelled' and not j.cancel then
  give_back(j, '', now)
  return {'BACK', j.seq}
end
-- Nothing of it would be logged, its end neither: another memory of this attempt has told as much. `mine` gives it back.
if first + #events <= j.seq + 1 then return {'FENCED', j.seq} end
if log_events(j, string.match(me, '[^.]*$'), first, events) == false then return {'GAP', j.seq} end
end_job(j, ending, events[#events], now)
return {'OK', j.seq}
