-- Charge an API key for what it asks, all of it or nothing; or put right, afterwards, what it was charged.
-- KEYS  1 the key's prefix, pool:key:{<id>}
-- ARGV  1 requests a minute  2 tokens a minute  3 jobs at once; each 0 for no limit  4 requests taken  5 tokens taken, below
--       0 to give some back  6 '1': also if there are not so many  7 how many jobs have ended  then the ids of those, then
--       the ids of the jobs that begin
-- RETURNS  {''|'requests'|'tokens'|'jobs': what is lacking, ms until it is there, requests left, ms until all of them are
--          there, tokens left, ms until all of them are there, ids}; the ids are those that begin and did not count yet, or
--          where jobs are lacking those that count, each followed by its age in ms
-- Atomic, since two gateways that look at what is left and then take it would pass the limit together.
--
-- A bucket a limit: it holds a minute's worth, fills by itself, and owes what was used beyond that. So what a gateway that
-- died never put right is forgotten with the minute. Jobs count by their ids, so that whoever is at the limit can look at
-- their records: a mere number would be wrong for ever after a gateway's death.
local MOST_OWED = 10 -- minutes' worth: nobody is shut out for longer, whatever one job used
local HELD_MS = 48 * 3600000 -- longer than a job waits and runs
local now = now_ms()
local told = map(redis.call('HGETALL', T .. ':rate'))
local passed = math.max(0, now - (tonumber(told.at) or now)) -- 0 after the clock stepped back

-- `most` a minute, `level` there now, `after` what is left when it is taken; nil for no limit.
local function bucket(name, most, taken)
  if most == 0 then return nil end
  local level = math.min(most, (tonumber(told[name]) or most) + passed * most / 60000)
  local after = math.max(-MOST_OWED * most, math.min(most, level - taken))
  return {most = most, level = level, after = after, short = taken > 0 and math.max(0, taken - level) or 0}
end

local function ms_for(b, amount) return math.ceil(amount * 60000 / b.most) end

local buckets = {requests = bucket('requests', tonumber(ARGV[1]), tonumber(ARGV[4])),
                 tokens = bucket('tokens', tonumber(ARGV[2]), tonumber(ARGV[5]))}

local function reply(lacking, wait_ms, ids, level)
  local said = {lacking, wait_ms}
  for _, name in ipairs({'requests', 'tokens'}) do
    local b = buckets[name]
    said[#said + 1] = b and math.max(0, math.floor(b[level])) or 0
    said[#said + 1] = b and ms_for(b, b.most - b[level]) or 0
  end
  said[#said + 1] = ids
  return said
end

local most_jobs, is_forced, ended = tonumber(ARGV[3]), ARGV[6] == '1', tonumber(ARGV[7])
for i = 8, 7 + ended do redis.call('ZREM', T .. ':held', ARGV[i]) end

for _, name in ipairs(is_forced and {} or {'requests', 'tokens'}) do
  local b = buckets[name]
  if b and b.short > 0 then return reply(name, ms_for(b, b.short), {}, 'level') end
end

local fresh = {}
for i = 8 + ended, most_jobs > 0 and #ARGV or 0 do
  if not redis.call('ZSCORE', T .. ':held', ARGV[i]) then fresh[#fresh + 1] = ARGV[i] end
end
if #fresh > 0 then
  redis.call('ZREMRANGEBYSCORE', T .. ':held', '-inf', int(now - HELD_MS))
  if redis.call('ZCARD', T .. ':held') + #fresh > most_jobs then
    local counting = redis.call('ZRANGE', T .. ':held', 0, -1, 'WITHSCORES')
    for i = 2, #counting, 2 do counting[i] = int(now - tonumber(counting[i])) end
    return reply('jobs', 0, counting, 'level')
  end
  for _, id in ipairs(fresh) do redis.call('ZADD', T .. ':held', int(now), id) end
  redis.call('PEXPIRE', T .. ':held', HELD_MS)
end

local full_ms = 0
for name, b in pairs(buckets) do
  redis.call('HSET', T .. ':rate', 'at', int(now), name, string.format('%.9f', b.after))
  full_ms = math.max(full_ms, ms_for(b, b.most - b.after))
end
if next(buckets) then redis.call('PEXPIRE', T .. ':rate', full_ms + 1000) end -- one that is full is as good as none
return reply('', 0, fresh, 'after')
