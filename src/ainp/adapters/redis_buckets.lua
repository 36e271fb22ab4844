-- Take from each bucket of KEYS, or give back: core/rate.py, word for word, on the clock of Redis or on ARGV[1] if that is not 0.
-- ARGV: now, then of each bucket its interval, burst and how many. Returns of each the wait and the time to full, in microseconds.
-- Numbers are doubles: exact to 2^53, which is the year 2255. Redis turns them back into integers.
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local answers = {}
for i, key in ipairs(KEYS) do
  local interval, burst, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local full = interval * burst
  local before = math.min(math.max(tonumber(redis.call('GET', key) or 0), now), now + full)
  local after = math.max(now, before + cost * interval)
  local wait = after - full - now
  if wait > 0 then
    answers[2 * i - 1], answers[2 * i] = wait, before - now
  else
    redis.call('SET', key, string.format('%.0f', after), 'PX', math.max(1, math.ceil((after - now) / 1000)))
    answers[2 * i - 1], answers[2 * i] = 0, after - now
  end
end
return answers
