-- Renew a worker's lease and tell the pool about it; with `register`, begin one.
-- KEYS  1 the queue's prefix
-- ARGV  1 me  2 lease_ms  3 '1' register  4 fingerprint of the model (register only; '' while it is loading)
--       then the worker's fields
-- RETURNS  {'OK', wanted}: wanted is '' or 'drain', set by an operator · {'DEAD'}: the lease was reaped, begin anew
--          under another name · {'OTHER', fingerprint}: live workers or pending jobs of this queue have other weights
-- Atomic, since of two workers with different weights that start together only one may set the fingerprint.
local me, lease_ms, register, fingerprint = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local now = now_ms()

-- Who has loaded nothing yet serves no weights: it may turn out to have others, and will be told so then.
local HAS_NONE = {loading = true, standby = true}

local function is_in_use()
  for _, wid in ipairs(redis.call('ZRANGEBYSCORE', T .. ':workers', '(' .. int(now), '+inf')) do
    if wid ~= me and not HAS_NONE[redis.call('HGET', T .. ':worker:' .. wid, 'state')] then return true end
  end
  for _, class in ipairs(STREAMS) do
    if running_in(class) > 0 then return true end
  end
  return false
end

if register == '1' then
  local known = redis.call('HGET', T .. ':model', 'fingerprint')
  if fingerprint ~= '' then
    if known and known ~= fingerprint and is_in_use() then return {'OTHER', known} end
    redis.call('HSET', T .. ':model', 'fingerprint', fingerprint)
  end
  for _, class in ipairs(STREAMS) do ensure_group(class) end
  -- The reapers' clock runs from the first worker on: a Redis that dies before any tick has stood still since now.
  redis.call('HSETNX', T .. ':tick', 'at', int(now))
elseif not redis.call('ZSCORE', T .. ':workers', me) then
  return {'DEAD'}
end
redis.call('ZADD', T .. ':workers', int(now + lease_ms), me)
local key = T .. ':worker:' .. me
if register == '1' then redis.call('HSETNX', key, 'since', int(now)) end
if #ARGV > 4 then redis.call('HSET', key, unpack(ARGV, 5)) end
redis.call('HSET', key, 'beat', int(now))
redis.call('HDEL', key, 'doubted')
redis.call('PEXPIRE', key, lease_ms * 5)
return {'OK', redis.call('HGET', key, 'wanted') or ''}
