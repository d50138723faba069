-- Take a batch, to run it: for as long as the lease is renewed by commits. Each taking has a number, its epoch, by which
-- whoever had it before is fenced out.
-- KEYS  1 the batch's prefix, pool:bulk:{<id>}
-- ARGV  1 me  2 lease_ms
-- RETURNS  {'OK', epoch} · {'HELD'} by another one · {'ENDED'} · {'GONE'}
-- Atomic, since two gateways that look at the lease and then take it would both run the batch.
local me, lease_ms = ARGV[1], tonumber(ARGV[2])
local key = T .. ':batch'
local now = now_ms()
local b = map(redis.call('HGETALL', key))
if not b.status then return {'GONE'} end
if b.ended then return {'ENDED'} end
if b.owner and b.owner ~= me and now < tonumber(b.lease) then return {'HELD'} end
local epoch = redis.call('HINCRBY', key, 'epoch', 1)
redis.call('HSET', key, 'owner', me, 'lease', int(now + lease_ms))
if b.status == 'validating' then redis.call('HSET', key, 'status', 'in_progress', 'begun', int(now)) end
return {'OK', epoch}
