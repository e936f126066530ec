#!lua name=LIBRARY
-- What must happen in one step: an entry of the journal only from who leads, numbers without a gap, a lease to one engine.
-- LIBRARY stands for a name made from this text (functions.py): engines of two versions on one server each have their own.
-- All keys are handed in and share a hash tag. Answers are arrays: a word first, then what explains it.

local FORMER_MS = 60000 -- so long who reads the former snapshot may go on

local function split(id)
  return tonumber(string.sub(id, 1, -3)) -- "17-0" is record 17
end

local function fields_of(entry)
  local found = {}
  for place = 1, #entry[2], 2 do found[entry[2][place]] = entry[2][place + 1] end
  return found
end

-- The number of the newest record, and who wrote it. The leader's hash has it; where that was lost, the journal and the
-- snapshot that it goes on from do.
local function tail_of(journal, leader, snapshot)
  local known = redis.call('HMGET', leader, 'last', 'last_epoch', 'last_engine')
  if known[1] then return tonumber(known[1]), known[2], known[3] end
  local newest = redis.call('XREVRANGE', journal, '+', '-', 'COUNT', 1)[1]
  if newest then
    local found = fields_of(newest)
    return split(newest[1]), found.e, found.b
  end
  known = redis.call('HMGET', snapshot, 'last', 'epoch', 'engine')
  return tonumber(known[1] or '0'), known[2] or '0', known[3] or ''
end

local function is_there(journal, args)
  local found = redis.call('XRANGE', journal, args[4] .. '-0', args[4] .. '-0')[1]
  if not found then return false end
  found = fields_of(found)
  return found.e == args[1] and found.b == args[2] and found.f == args[3]
end

local function leads(leader, epoch, engine)
  local found = redis.call('HMGET', leader, 'epoch', 'engine')
  if found[1] == epoch and found[2] == engine then return nil end
  return {'fenced', tonumber(found[1] or '0'), found[2] or ''}
end

-- keys: journal, leader, snapshot, done:ID of each answer
-- args: epoch, engine, first, last, records, artifacts, done_ms, epoch and engine of who leads, then id and answer by turns
-- The first two are who wrote the records first: others, where a leader writes again what a server lost.
local function journal_append(keys, args)
  local journal, leader = keys[1], keys[2]
  local epoch, engine, first, last = args[1], args[2], args[3], args[4]
  local tail, tail_epoch, tail_engine = tail_of(journal, leader, keys[3])
  if tonumber(last) <= tail and is_there(journal, args) then
    -- A write, so that a WAIT behind this waits for what came by another connection.
    redis.call('HSET', leader, 'last', tail)
    return {'ok'}
  end
  local refused = leads(leader, args[8], args[9])
  if refused then return refused end
  if tonumber(first) <= tail then return {'diverged', tail, tail_epoch, tail_engine} end
  if tonumber(first) > tail + 1 then return {'gap', tail} end
  local fields = {'e', epoch, 'b', engine, 'f', first, 'r', args[5]}
  local function add(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  if args[6] ~= '' then add('a', args[6]) end
  if tail_epoch ~= epoch or tail_engine ~= engine then add('p', tail_epoch .. ' ' .. tail_engine) end
  for place = 10, #args, 2 do add('c:' .. args[place], args[place + 1]) end
  redis.call('XADD', journal, last .. '-0', unpack(fields))
  redis.call('HSET', leader, 'last', last, 'last_epoch', epoch, 'last_engine', engine)
  for place = 4, #keys do redis.call('SET', keys[place], args[2 * place + 3], 'PX', args[7]) end
  return {'ok'}
end

-- keys: journal, leader, snapshot
local function journal_tail(keys)
  local tail, epoch, engine = tail_of(keys[1], keys[2], keys[3])
  return {'ok', tail, tonumber(epoch), engine}
end

-- keys: journal, leader, snapshot; args: keep. The newest entry stays, whatever is asked for.
local function journal_trim(keys, args)
  local tail = tail_of(keys[1], keys[2], keys[3])
  local whole = tonumber(redis.call('HGET', keys[3], 'last') or '0')
  local upto = math.min(whole, tail - math.max(1, tonumber(args[1])))
  if upto <= 0 then return {'ok', 0} end
  return {'ok', redis.call('XTRIM', keys[1], 'MINID', string.format('%d-0', upto + 1))}
end

-- keys: journal, leader, snapshot, the chunks, the chunks of the former one
-- args: epoch, engine, last, count of chunks, then names and values of the hash by turns
local function snapshot_done(keys, args)
  local refused = leads(keys[2], args[1], args[2])
  if refused then return refused end
  local tail = tail_of(keys[1], keys[2], keys[3])
  local is_beyond = tonumber(args[3]) > tail
  if is_beyond and redis.call('EXISTS', keys[1]) == 1 then return {'gap', tail} end
  local behind = 3 + tonumber(args[4])
  for place = 4, behind do
    if redis.call('EXISTS', keys[place]) == 0 then return {'missing'} end
  end
  for place = 4, behind do redis.call('PERSIST', keys[place]) end
  for place = behind + 1, #keys do redis.call('PEXPIRE', keys[place], FORMER_MS) end
  redis.call('HSET', keys[3], unpack(args, 5))
  -- A journal without entries goes on from here.
  if is_beyond then redis.call('HSET', keys[2], 'last', args[3], 'last_epoch', args[1], 'last_engine', args[2]) end
  return {'ok'}
end

-- keys: leader, lease; args: engine, ms, above
local function lease_take(keys, args)
  local found = redis.call('HMGET', keys[1], 'epoch', 'engine')
  local holder = redis.call('GET', keys[2])
  local epoch = tonumber(found[1] or '0')
  if holder then
    if holder ~= args[1] or found[2] ~= args[1] then return {'held', epoch, holder} end
    redis.call('PEXPIRE', keys[2], args[2]) -- its own: the answer was lost
    return {'ok', epoch}
  end
  epoch = math.max(epoch, tonumber(args[3])) + 1
  redis.call('HSET', keys[1], 'epoch', string.format('%d', epoch), 'engine', args[1])
  redis.call('SET', keys[2], args[1], 'PX', args[2])
  return {'ok', epoch}
end

-- keys: leader, lease; args: epoch, engine, ms
local function lease_renew(keys, args)
  local refused = leads(keys[1], args[1], args[2])
  if refused then return refused end
  redis.call('SET', keys[2], args[2], 'PX', args[3])
  return {'ok'}
end

-- keys: leader, lease; args: epoch, engine
local function lease_release(keys, args)
  local refused = leads(keys[1], args[1], args[2])
  if refused then return refused end
  redis.call('HSET', keys[1], 'engine', '')
  redis.call('DEL', keys[2])
  return {'ok'}
end

-- keys: leader, lease
local function lease_holder(keys)
  local found = redis.call('HMGET', keys[1], 'epoch', 'engine')
  local holder = redis.call('GET', keys[2])
  return {holder and 'held' or 'free', tonumber(found[1] or '0'), holder or ''}
end

-- keys: leader, commands, answers; args: epoch, engine, group, entry, call, answer, answers kept, ms
-- The answer goes out and the call goes away together, and only from who leads: a call that was left to the next leader
-- has no answer of the former one, which may have refused what the next one does.
local function call_answer(keys, args)
  local refused = leads(keys[1], args[1], args[2])
  if refused then return refused end
  redis.call('XADD', keys[3], 'MAXLEN', '~', args[7], '*', 'i', args[5], 'a', args[6])
  redis.call('PEXPIRE', keys[3], args[8])
  redis.call('XACK', keys[2], args[3], args[4])
  redis.call('XDEL', keys[2], args[4])
  return {'ok'}
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- keys: any one of the region
local function server_clock()
  return {'ok', now_ms()}
end

-- keys: members, leader; args: engine, number of its newest record, facts, forgotten after ms
-- Tells of an engine, and answers with all: engine, ms since it told, records that it lacked then, facts.
local function member_tell(keys, args)
  local now = now_ms()
  local last = tonumber(redis.call('HGET', keys[2], 'last') or '0')
  redis.call('HSET', keys[1], args[1], string.format('%d %d %s', now, math.max(0, last - tonumber(args[2])), args[3]))
  redis.call('PEXPIRE', keys[1], args[4])
  local found, known = {}, redis.call('HGETALL', keys[1])
  for place = 1, #known, 2 do
    local at, behind, facts = string.match(known[place + 1], '^(%d+) (%d+) (.*)$')
    if now - tonumber(at) > tonumber(args[4]) then
      redis.call('HDEL', keys[1], known[place])
    else
      found[#found + 1] = {known[place], math.max(0, now - tonumber(at)), tonumber(behind), facts}
    end
  end
  return found
end

-- keys: told; args: region, what it tells of itself (empty = nothing), forgotten after ms
-- Answers with all regions that told: name, ms since, what.
local function region_tell(keys, args)
  local now = now_ms()
  if args[2] ~= '' then redis.call('HSET', keys[1], args[1], string.format('%d %s', now, args[2])) end
  local found, known = {}, redis.call('HGETALL', keys[1])
  for place = 1, #known, 2 do
    local at, told = string.match(known[place + 1], '^(%d+) (.*)$')
    if now - tonumber(at) > tonumber(args[3]) then
      redis.call('HDEL', keys[1], known[place])
    else
      found[#found + 1] = {known[place], math.max(0, now - tonumber(at)), told}
    end
  end
  return found
end

-- A full memory takes no leader away.
local ALWAYS, READS = {'allow-oom'}, {'no-writes'}
redis.register_function('LIBRARY_journal_append', journal_append)
redis.register_function{function_name = 'LIBRARY_journal_tail', callback = journal_tail, flags = READS}
redis.register_function{function_name = 'LIBRARY_lease_take', callback = lease_take, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_lease_renew', callback = lease_renew, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_lease_release', callback = lease_release, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_lease_holder', callback = lease_holder, flags = READS}
redis.register_function{function_name = 'LIBRARY_call_answer', callback = call_answer, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_server_clock', callback = server_clock, flags = READS}
redis.register_function{function_name = 'LIBRARY_member_tell', callback = member_tell, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_region_tell', callback = region_tell, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_journal_trim', callback = journal_trim, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_snapshot_done', callback = snapshot_done, flags = ALWAYS}
