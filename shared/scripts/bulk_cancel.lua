-- Ask that a batch be cancelled; whoever runs it hears of it with its next commit.
-- KEYS  1 the batch's prefix, pool:bulk:{<id>}
-- RETURNS  1 it was there · 0 no such batch; one that has ended stays as it is
-- Atomic, since a batch that ends, or expires, between the look and the word would be changed, or made anew.
local key = T .. ':batch'
if redis.call('EXISTS', key) == 0 then return 0 end
if redis.call('HEXISTS', key, 'ended') == 0 and redis.call('HSETNX', key, 'cancelled', int(now_ms())) == 1 then
  redis.call('HSET', key, 'status', 'cancelling')
end
return 1
