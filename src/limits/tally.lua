#!lua name=doorbuster_tally_v1
-- How often somebody may do something, counted for all nodes (`src/gate/tally.rs`): GCRA, each bucket one number. Like the
-- gate's library, a version of this one is never changed: the next one gets a new name.
--
-- Keys, under the prefix p: p:tally:<limit>:<who> holds the moment (µs) at which the bucket will be empty, and goes then.

local LIB = 'doorbuster_tally_v1'

-- Arguments, for each act in turn: how many limits, and for each: bucket, interval (µs between two of a steady stream),
-- tolerance (µs that a burst may be ahead of that). Answer, for each act: the number of the limit that it is over, or 0; and
-- when to come again (µs).
local function count(keys, args)
  local p = keys[1] .. ':tally:'
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local answer, at = {}, 1
  while at <= #args do
    local limits, over, wait = tonumber(args[at]), 0, 0
    for number = 1, limits do
      local bucket = p .. args[at + 3 * number - 2]
      local interval, tolerance = tonumber(args[at + 3 * number - 1]), tonumber(args[at + 3 * number])
      local due = math.max(tonumber(redis.call('GET', bucket) or 0), now)
      -- Further ahead than it can be: the clock was set back.
      if due - now > interval + tolerance then due = now end
      if due - now > tolerance then
        over, wait = number, due - now - tolerance
        break
      end
      due = due + interval
      redis.call('SET', bucket, string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
    end
    answer[#answer + 1] = over
    answer[#answer + 1] = math.ceil(wait)
    at = at + 1 + 3 * limits
  end
  return answer
end

redis.register_function(LIB .. '_count', count)
