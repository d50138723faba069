-- Note a batch's progress with the results that belong to it, renew the lease, and hear whether to go on.
-- KEYS  1 the batch's prefix, pool:bulk:{<id>}
-- ARGV  1 epoch  2 the commit's number; that of the last one: nothing new  3 lease_ms; 0: let it go  4 output, or ''
--       5 errors, or ''  6 how the batch ended, or ''  then names and values of its progress
-- RETURNS  {'OK', 1 if it is to be cancelled, 1 if its time is over} · {'FENCED'} · {'GAP'} Redis lost a commit · {'GONE'}
-- Atomic, since results and the place up to which they are there must agree: else a line has two results, or none.
-- Replaying a commit changes nothing.
local epoch, number, lease_ms, ending = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[6]
local key = T .. ':batch'
local now = now_ms()
local b = map(redis.call('HGETALL', key))
if not b.status then return {'GONE'} end
if b.epoch ~= epoch or (b.ended and b.commits ~= ARGV[2]) then return {'FENCED'} end
if number > b.commits + 1 then return {'GAP'} end

local function add(name, piece)
  if #piece == 0 then return end
  redis.call('RPUSH', T .. ':' .. name .. ':data', piece)
  redis.call('HINCRBY', key, name .. '_bytes', #piece)
  redis.call('PEXPIREAT', T .. ':' .. name .. ':data', int(redis.call('PEXPIRETIME', key)))
end

if number == b.commits + 1 then
  add('output', ARGV[4])
  add('errors', ARGV[5])
  redis.call('HSET', key, 'commits', int(number))
  for i = 7, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
  if ending ~= '' then redis.call('HSET', key, 'status', ending, 'ended', int(now)) end
end
redis.call('HSET', key, 'lease', int(now + lease_ms))
return {'OK', b.cancelled and 1 or 0, now >= tonumber(b.expires) and 1 or 0}
