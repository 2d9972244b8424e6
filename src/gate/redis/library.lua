#!lua name=doorbuster_gate_v4
-- The gate's decisions, as one Redis Function library. `src/gate/mod.rs` says what each function must do; the memory gate
-- beside it is the same in Rust. Redis runs one function at a time, so each call is atomic.
--
-- A version of this library is never changed: nodes of the next version load theirs under its own name and work beside
-- this one on the same keys (see `vouch`). What those keys hold may be added to, not altered.
--
-- Keys, all under the prefix p. A sale's data lives under its mark, a random name that every rebuild draws anew: so a
-- rebuild is loaded piece by piece beside everything else, and opening or forgetting is one small step.
--   p:sales          hash    sale -> mark, of the sales that are open
--   p:loading        hash    sale -> mark, of rebuilds under way
--   p:<mark>         hash    the head: the terms, seq, held, gone; `by`, the library that opened it
--   p:<mark>:holders hash    buyer -> "epoch seq quantity" of the one live ticket
--   p:<mark>:pending zset    buyer and key, by seq
--   p:<mark>:keys    list    the fields of p:keys that are this sale's
--   p:keys           hash    buyer (16 bytes) and key -> "mark epoch seq quantity at", over all sales; at is -1 when unknown
--   p:trash          zset    mark -> when (ms) its remains may be swept away

local LIB = 'doorbuster_gate_v4'

-- The marks that were opened in this server since it loaded this library: the witness that nothing was lost. It is plain
-- memory, never stored and never replicated, and Redis runs a library afresh whenever it replaces its data: at a restart
-- (empty, or from whatever dump), on a replica that takes a full copy, after DEBUG RELOAD or FUNCTION RESTORE. A promoted
-- replica has the data, perhaps less of it than was promised, but never the marks. So a sale whose mark is not in here
-- reads as not held until it is rebuilt. A primary that was demoted and comes back keeps its marks only if it could
-- go on in the same history (a partial resynchronisation), that is if nothing of its own was lost; and if the sale was
-- rebuilt elsewhere meanwhile, it has another mark.
-- Not seen here: single keys that somebody puts back by hand, and a machine that is set back as a whole. The database
-- refuses what follows from that: tickets of old epochs, second tickets with one (epoch, seq), units it does not have.
local opened = {}

-- Lua passes a few thousand values to a call at most.
local SLICE = 2000

local function each_slice(values, act)
  for first = 1, #values, SLICE do
    act(unpack(values, first, math.min(first + SLICE - 1, #values)))
  end
end

local function write(command, key, values)
  each_slice(values, function(...) redis.call(command, key, ...) end)
end

local function read(key, fields)
  if #fields <= SLICE then
    return #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
  end
  local all = {}
  each_slice(fields, function(...)
    for _, value in ipairs(redis.call('HMGET', key, ...)) do all[#all + 1] = value end
  end)
  return all
end

local function millis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- What is under the mark, if it is open and was seen all the time; nil otherwise. Of a mark that another library opened
-- this one can't know: the node asks the two of them (see `vouch`), and calls again.
local function head_of(p, mark)
  local key = p .. ':' .. mark
  local head = redis.call('HMGET', key,
    'by', 'epoch', 'version', 'starts', 'ends', 'limit', 'total', 'paused', 'ended', 'seq', 'held', 'gone')
  if not head[1] then return nil end
  local seen = opened[mark] --[[gate.trust_restarted_redis]]
  if not seen then
    if head[1] ~= LIB then error({ err = 'UNVOUCHED ' .. mark .. ' ' .. head[1] }) end
    return nil
  end
  return {
    mark = mark, key = key, epoch = tonumber(head[2]), version = tonumber(head[3]),
    starts = tonumber(head[4]), ends = tonumber(head[5]), limit = tonumber(head[6]), total = tonumber(head[7]),
    paused = head[8] == '1', ended = head[9] == '1',
    seq = tonumber(head[10]), held = tonumber(head[11]), gone = tonumber(head[12]),
  }
end

local function find(p, sale)
  local mark = redis.call('HGET', p .. ':sales', sale)
  return mark and head_of(p, mark)
end

-- The owner of a key, unless its sale is not held any more. `live` remembers the marks that were looked at.
local function owner(p, text, live)
  if not text then return nil end
  local mark, epoch, seq, quantity, at = string.match(text, '^(%S+) (%d+) (%d+) (%d+) (%S+)$')
  if live[mark] == nil then live[mark] = head_of(p, mark) ~= nil end
  if not live[mark] then return nil end
  return { mark = mark, epoch = tonumber(epoch), seq = tonumber(seq), quantity = tonumber(quantity), at = tonumber(at) }
end

local function record(mark, epoch, seq, quantity, at)
  return string.format('%s %s %s %s %s', mark, epoch, seq, quantity, at)
end

-- Closes what is under the mark, at once; the keys go later (see `sweep`).
local function discard(p, sale, mark)
  local key = p .. ':' .. mark
  opened[mark] = nil
  redis.call('UNLINK', key, key .. ':holders', key .. ':pending')
  for _, sales in ipairs({ p .. ':sales', p .. ':loading' }) do
    if redis.call('HGET', sales, sale) == mark then redis.call('HDEL', sales, sale) end
  end
  redis.call('ZADD', p .. ':trash', 0, mark)
end

-- Arguments: sale, the epoch and version of it that the caller knows, then per attempt: buyer and key in one, quantity.
-- Answer: nothing when the sale is not held; or the seq before, the time (ms), a letter per attempt, and for each replay in
-- turn: epoch, seq, at, pending.
local function admit(keys, args)
  local p, epoch, version = keys[1], tonumber(args[2]), tonumber(args[3])
  local sale = find(p, args[1])
  if not sale then return false end
  local now = millis()
  local fields, buyers, count = {}, {}, 0
  for i = 4, #args, 2 do
    count = count + 1
    fields[count], buyers[count] = args[i], string.sub(args[i], 1, 16)
  end
  local known, holding = read(p .. ':keys', fields), read(sale.key .. ':holders', buyers)
  local stale = epoch ~= sale.epoch
  local shut = (sale.ended or now >= sale.ends) and 'E' or sale.paused and 'P' or now < sale.starts and 'N'
  local seq, held, left = sale.seq, sale.held, sale.total - sale.held - sale.gone
  local live, mine, taken = { [sale.mark] = true }, {}, {}
  local letters, replays = {}, {}
  local records, holders, pending, added = {}, {}, {}, {}
  for i = 1, count do
    local field, buyer, quantity = fields[i], buyers[i], tonumber(args[2 * i + 3])
    local known_as = mine[field] or owner(p, known[i], live)
    local letter
    if known_as then
      if known_as.mark == sale.mark and known_as.quantity == quantity then
        letter = 'R'
        local waits = mine[field] or redis.call('ZSCORE', sale.key .. ':pending', field)
        replays[#replays + 1] = known_as.epoch
        replays[#replays + 1] = known_as.seq
        replays[#replays + 1] = known_as.at
        replays[#replays + 1] = waits and 1 or 0
      else
        letter = 'K'
      end
    elseif stale then
      letter = 'W'
    elseif version > sale.version then
      letter = 'O'
    elseif quantity < 1 or quantity > sale.limit then
      letter = 'L'
    elseif shut then
      letter = shut
    elseif (holding[i] or taken[buyer]) --[[gate.no_buyer_check]] then
      letter = 'B'
    elseif quantity > left then
      letter = 'S'
    else
      letter = 'A'
      seq, held, left = seq + 1, held + quantity, left - quantity
      taken[buyer] = true
      mine[field] = { mark = sale.mark, epoch = epoch, seq = seq, quantity = quantity, at = now }
      local n = #added
      added[n + 1] = field
      records[2 * n + 1], records[2 * n + 2] = field, record(sale.mark, epoch, seq, quantity, now)
      holders[2 * n + 1], holders[2 * n + 2] = buyer, epoch .. ' ' .. seq .. ' ' .. quantity
      pending[2 * n + 1], pending[2 * n + 2] = seq, field
    end
    letters[i] = letter
  end
  if #added > 0 then
    -- The seq first: should a later step fail, it is never given again.
    redis.call('HSET', sale.key, 'seq', seq, 'held', held)
    write('HSET', sale.key .. ':holders', holders)
    write('HSET', p .. ':keys', records)
    write('RPUSH', sale.key .. ':keys', added)
    write('ZADD', sale.key .. ':pending', pending)
  end
  return { sale.seq, now, table.concat(letters), replays }
end

-- Arguments, several times: sale, epoch, first and last seq of a run of tickets.
local function settle(keys, args)
  for i = 1, #args, 4 do
    local sale = find(keys[1], args[i])
    if sale and sale.epoch == tonumber(args[i + 1]) then
      redis.call('ZREMRANGEBYSCORE', sale.key .. ':pending', args[i + 2], args[i + 3])
    end
  end
  return 1
end

-- One ticket of a sale that is held. Answer: 1 if it did anything.
local function let_go(sale, of, number, buyer, restock)
  local holding = redis.call('HGET', sale.key .. ':holders', buyer)
  if not holding then return 0 end
  local epoch, seq, quantity = string.match(holding, '^(%d+) (%d+) (%d+)$')
  local present = (epoch == of and seq == number) --[[gate.release_without_seq_check]]
  if not present then return 0 end
  redis.call('HDEL', sale.key .. ':holders', buyer)
  redis.call('HINCRBY', sale.key, 'held', -quantity)
  if restock ~= '1' then redis.call('HINCRBY', sale.key, 'gone', quantity) end
  if tonumber(of) == sale.epoch then
    redis.call('ZREMRANGEBYSCORE', sale.key .. ':pending', number, number)
  end
  return 1
end

-- Arguments, several times: sale, epoch, seq, buyer, restock. Answer: how many did anything.
local function release(keys, args)
  -- All sales first: a mark that has to be vouched for ends the call, which is then made again as a whole.
  local held = {}
  for i = 1, #args, 5 do
    if held[args[i]] == nil then held[args[i]] = find(keys[1], args[i]) or false end
  end
  local count = 0
  for i = 1, #args, 5 do
    local sale = held[args[i]]
    if sale then count = count + let_go(sale, args[i + 1], args[i + 2], args[i + 3], args[i + 4]) end
  end
  return count
end

local TERMS = { 'epoch', 'version', 'starts', 'ends', 'limit', 'total', 'paused', 'ended' }

-- Arguments from `first` on are the terms in that order.
local function put_terms(key, args, first)
  local values = {}
  for i, name in ipairs(TERMS) do
    values[2 * i - 1], values[2 * i] = name, args[first + i - 1]
  end
  redis.call('HSET', key, unpack(values))
end

-- Arguments: sale, terms. A rebuild under way takes newer terms, too.
local function update(keys, args)
  local p = keys[1]
  local sale = find(p, args[1])
  local mark = sale and sale.mark or redis.call('HGET', p .. ':loading', args[1])
  if not mark then return 0 end
  local held = redis.call('HMGET', p .. ':' .. mark, 'epoch', 'version')
  if held[1] ~= args[2] or tonumber(args[3]) < tonumber(held[2]) then return 0 end
  put_terms(p .. ':' .. mark, args, 2)
  return 1
end

-- Argument: sale. Answer: the terms, in the order in which they are put; or nothing.
local function terms(keys, args)
  local sale = find(keys[1], args[1])
  return sale and {
    sale.epoch, sale.version, sale.starts, sale.ends, sale.limit, sale.total, sale.paused and 1 or 0, sale.ended and 1 or 0,
  }
end

-- Arguments: sale, mark, patience (ms), terms. Closes the sale and prepares its next generation under the mark. Answer: 0
-- when a later epoch is there already. Of two who rebuild at once, the one who began later goes on.
local function begin(keys, args)
  local p, sale, mark, epoch = keys[1], args[1], args[2], tonumber(args[4])
  local held = find(p, sale)
  local loading = redis.call('HGET', p .. ':loading', sale)
  local seq = held and held.epoch == epoch and held.seq or 0
  if held and held.epoch > epoch then return 0 end
  if loading then
    local other = redis.call('HMGET', p .. ':' .. loading, 'epoch', 'seq')
    if tonumber(other[1]) > epoch then return 0 end
    if tonumber(other[1]) == epoch then seq = math.max(seq, tonumber(other[2])) end
    discard(p, sale, loading)
  end
  local old = redis.call('HGET', p .. ':sales', sale)
  if old then discard(p, sale, old) end
  put_terms(p .. ':' .. mark, args, 4)
  redis.call('HSET', p .. ':' .. mark, 'sale', sale, 'seq', seq, 'held', 0, 'gone', 0)
  redis.call('HSET', p .. ':loading', sale, mark)
  redis.call('ZADD', p .. ':trash', millis() + args[3], mark)
  return 1
end

local function check_loading(p, sale, mark)
  if redis.call('HGET', p .. ':loading', sale) ~= mark then error({ err = 'SUPERSEDED by another rebuild' }) end
end

-- Arguments: sale, mark, patience (ms), then per ticket: epoch, seq, buyer and key in one, 1 if there is a key,
-- quantity, and H, G or F for what became of the units.
local function load(keys, args)
  local p, sale, mark = keys[1], args[1], args[2]
  check_loading(p, sale, mark)
  local head = p .. ':' .. mark
  local state = redis.call('HMGET', head, 'epoch', 'seq', 'held', 'gone')
  local epoch, seq, held, gone = state[1], tonumber(state[2]), tonumber(state[3]), tonumber(state[4])
  local live = { [mark] = true }
  for i = 4, #args, 6 do
    local of, number, field, quantity, units = args[i], args[i + 1], args[i + 2], args[i + 4], args[i + 5]
    if of == epoch then seq = math.max(seq, tonumber(number)) end
    local holding = of .. ' ' .. number .. ' ' .. quantity
    if units == 'H' and redis.call('HSETNX', head .. ':holders', string.sub(field, 1, 16), holding) == 1 then
      held = held + quantity
    elseif units == 'G' then
      gone = gone + quantity
    end
    if args[i + 3] == '1' and not owner(p, redis.call('HGET', p .. ':keys', field), live) then
      redis.call('HSET', p .. ':keys', field, record(mark, of, number, quantity, -1))
      redis.call('RPUSH', head .. ':keys', field)
    end
  end
  redis.call('HSET', head, 'seq', seq, 'held', held, 'gone', gone)
  redis.call('ZADD', p .. ':trash', millis() + args[3], mark)
  return 1
end

-- Arguments: sale, mark. What was loaded becomes the sale.
local function open(keys, args)
  local p, sale, mark = keys[1], args[1], args[2]
  check_loading(p, sale, mark)
  redis.call('HDEL', p .. ':loading', sale)
  redis.call('ZREM', p .. ':trash', mark)
  redis.call('HSET', p .. ':' .. mark, 'by', LIB)
  redis.call('HSET', p .. ':sales', sale, mark)
  opened[mark] = true
  return 1
end

-- Argument: sale. A rebuild under way is given up, too.
local function forget(keys, args)
  for _, sales in ipairs({ ':sales', ':loading' }) do
    local mark = redis.call('HGET', keys[1] .. sales, args[1])
    if mark then discard(keys[1], args[1], mark) end
  end
  return 1
end

-- Argument: how many keys at most. Removes remains of sales that were discarded, and of rebuilds that nobody went on with.
-- Answer: 1 while there may be more.
local function sweep(keys, args)
  local p = keys[1]
  local due = redis.call('ZRANGEBYSCORE', p .. ':trash', '-inf', millis(), 'LIMIT', 0, 1)
  local mark = due[1]
  if not mark then return 0 end
  local key = p .. ':' .. mark
  local sale = redis.call('HGET', key, 'sale')
  if sale then discard(p, sale, mark) end
  local fields = redis.call('LPOP', key .. ':keys', args[1])
  if not fields then
    redis.call('ZREM', p .. ':trash', mark)
    return 1
  end
  local gone = {}
  for i, text in ipairs(read(p .. ':keys', fields)) do
    -- Somebody else may own the key by now.
    if text and string.sub(text, 1, #mark + 1) == mark .. ' ' then gone[#gone + 1] = fields[i] end
  end
  write('HDEL', p .. ':keys', gone)
  return 1
end

-- Arguments: sale, before (ms), the seq to go on after, how many to look at. Answer: the epoch, the seq to go on after (-1
-- at the end), and of each ticket that is due: seq, buyer and key in one, quantity, at.
local function pending(keys, args)
  local p, before = keys[1], tonumber(args[2])
  local sale = find(p, args[1])
  if not sale then return { 0, -1, {} } end
  local found = redis.call('ZRANGEBYSCORE', sale.key .. ':pending', '(' .. args[3], '+inf', 'WITHSCORES',
    'LIMIT', 0, args[4])
  local fields = {}
  for i = 1, #found, 2 do fields[#fields + 1] = found[i] end
  local more, due = #fields == tonumber(args[4]), {}
  for i, text in ipairs(read(p .. ':keys', fields)) do
    local is = owner(p, text, { [sale.mark] = true })
    if is and is.at < before then due[#due + 1] = { is.seq, fields[i], is.quantity, is.at } end
  end
  return { sale.epoch, more and tonumber(found[#found]) or -1, due }
end

-- Arguments: sale, and either epoch and seq or a buyer. Answer: epoch, seq, buyer and key in one, quantity, at; or nothing.
local function find_pending(keys, args)
  local p = keys[1]
  local sale = find(p, args[1])
  if not sale then return false end
  local epoch, seq = args[2], args[3]
  if not seq then
    local holding = redis.call('HGET', sale.key .. ':holders', args[2])
    if not holding then return false end
    epoch, seq = string.match(holding, '^(%d+) (%d+)')
  end
  if tonumber(epoch) ~= sale.epoch then return false end
  local field = redis.call('ZRANGEBYSCORE', sale.key .. ':pending', seq, seq)[1]
  local is = field and owner(p, redis.call('HGET', p .. ':keys', field), { [sale.mark] = true })
  return is and { is.epoch, is.seq, field, is.quantity, is.at }
end

-- Argument: sale. Answer: total, held, gone, pending, seq; or nothing.
local function counts(keys, args)
  local sale = find(keys[1], args[1])
  return sale and { sale.total, sale.held, sale.gone, redis.call('ZCARD', sale.key .. ':pending'), sale.seq }
end

-- The sales that are held. What was lost and not rebuilt is cleared away.
local function sales(keys)
  local p, held = keys[1], {}
  local all = redis.call('HGETALL', p .. ':sales')
  for i = 1, #all, 2 do
    if head_of(p, all[i + 1]) then held[#held + 1] = all[i] else discard(p, all[i], all[i + 1]) end
  end
  return held
end

-- Two versions of this library in one server: the one that saw the mark opened says so, the other takes note. The node
-- calls both in one MULTI, so nothing can be lost in between; the word ties the two calls together. Arguments: mark, word.
local function vouch(keys, args)
  local key = keys[1] .. ':' .. args[1]
  if not opened[args[1]] or redis.call('EXISTS', key) == 0 then return 0 end
  redis.call('HSET', key, 'vouched', args[2])
  return 1
end

-- Nobody vouches: then the mark is worthless to all, and goes.
local function adopt(keys, args)
  local p, mark = keys[1], args[1]
  local head = redis.call('HMGET', p .. ':' .. mark, 'vouched', 'sale')
  if head[1] == args[2] then
    redis.call('HDEL', p .. ':' .. mark, 'vouched')
    opened[mark] = true
    return 1
  end
  if head[2] then discard(p, head[2], mark) end
  return 0
end

local function offer(name, act) redis.register_function(LIB .. '_' .. name, act) end
offer('admit', admit)
offer('settle', settle)
offer('release', release)
offer('update', update)
offer('terms', terms)
offer('begin', begin)
offer('load', load)
offer('open', open)
offer('forget', forget)
offer('sweep', sweep)
offer('pending', pending)
offer('find_pending', find_pending)
offer('counts', counts)
offer('sales', sales)
offer('vouch', vouch)
offer('adopt', adopt)
