#!lua name=doorbuster_tokens_v1
-- What nodes found out about access tokens, for each other (`src/accounts/shared.rs`). Like the gate's library, a version of
-- this one is never changed: the next one gets a new name and works beside it.
--
-- Keys, under the prefix p; what is stored of a token is its hash.
--   p:token:<hash>  string  '-': it has ended. Else "life at body": the database said at that time (ms) that it lives, and
--                           `body` says whose it is. Both go by themselves.
--   p:life:<LIB>    string  the life that LIB is in
--
-- '-' means the same in all versions, is always believed and never overwritten by anything else: a token that has ended does
-- not come back, so the mark may be as old as it likes. Anything else counts only for the version whose life it begins with.

local LIB = 'doorbuster_tokens_v1'

-- By prefix, the time (µs) since which this server has lost nothing: its life. It must be the same here, in plain memory that
-- no dump, replica or restart carries over (see `opened` in library.lua), and among the data. So a life ends when the data
-- was lost and this memory was not (FLUSHALL), when the data is older than this memory (a restart with a dump), and when the
-- data went on elsewhere meanwhile (two fail-overs, forth and back). What an earlier life said is not believed: the mark of a
-- sign-out since then may be missing.
local lives = {}

local function millis(time)
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function life_of(p, time)
  local key = p .. ':life:' .. LIB
  if not lives[p] or redis.call('GET', key) ~= lives[p] then
    lives[p] = string.format('%.0f', time[1] * 1000000 + time[2])
    redis.call('SET', key, lives[p])
  end
  return lives[p]
end

-- Arguments: hashes. Answer: the life; then for each: '' when nothing is known, '-' when it has ended, or how long ago (ms) it
-- was live, and the body.
local function find(keys, args)
  local p, time = keys[1], redis.call('TIME')
  local life, now = life_of(p, time), millis(time)
  local answer = { life }
  for i, hash in ipairs(args) do
    local held, found = redis.call('GET', p .. ':token:' .. hash), ''
    if held == '-' then
      found = held
    elseif held then
      local of, at, body = string.match(held, '^(%d+) (%d+) (.*)$')
      -- Its time has yet to come: the clock was set back.
      if (of == life --[[tokens.trust_another_life]]) and tonumber(at) <= now then found = string.format('%.0f %s', now - at, body) end
    end
    answer[i + 1] = found
  end
  return answer
end

-- Arguments, for each token: hash, the life in which the database was asked, how long ago (ms) that was, how long to keep it
-- (ms), body. Answer: the life.
local function keep(keys, args)
  local p, time = keys[1], redis.call('TIME')
  local life, now = life_of(p, time), millis(time)
  for i = 1, #args, 5 do
    local key = p .. ':token:' .. args[i]
    -- Of another life: it may have ended since, and the mark that said so is lost.
    if args[i + 1] == life and (redis.call('GET', key) ~= '-' --[[tokens.overwrite_ended]]) then
      local value = string.format('%s %.0f %s', life, now - args[i + 2], args[i + 4])
      redis.call('SET', key, value, 'PX', args[i + 3])
    end
  end
  return life
end

-- Arguments: for how long (ms), hashes. They have ended.
local function finish(keys, args)
  for i = 2, #args do redis.call('SET', keys[1] .. ':token:' .. args[i], '-', 'PX', args[1]) end
  return 1
end

redis.register_function(LIB .. '_find', find)
redis.register_function(LIB .. '_keep', keep)
redis.register_function(LIB .. '_finish', finish)
