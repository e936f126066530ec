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

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whose server a region lives at, as far as this server knows: its epoch, the server's region, ms since that was last said; 0 = never.
local function home_of(home)
  local known = redis.call('HMGET', home, 'epoch', 'server', 'said')
  return tonumber(known[1] or '0'), known[2] or '', known[3] and math.max(0, now_ms() - tonumber(known[3])) or 0
end

-- keys: leader, lease, home; args: engine, ms, above, whose server this is (empty = it knows no regions)
local function lease_take(keys, args)
  if args[4] ~= '' then
    local epoch, server = home_of(keys[3])
    if server ~= args[4] then return {'elsewhere', epoch, server} end
  end
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

-- keys: commands; args: group, entry
-- Takes back a call that nobody has taken.
local function call_withdraw(keys, args)
  local taken = redis.pcall('XPENDING', keys[1], args[1], args[2], args[2], 1)
  local is_free = taken.err and string.find(taken.err, 'NOGROUP', 1, true) or not taken.err and #taken == 0
  if not is_free then return {'taken'} end
  if redis.call('XDEL', keys[1], args[2]) == 0 then return {'gone'} end
  return {'ok'}
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

-- keys: home, leader, lease; args: epoch, server, ms for which nobody else may have said that he is it
-- Says whose server the region lives at. Where that is another one than before, who led the region here leads no more.
local function home_claim(keys, args)
  local epoch, server, quiet = home_of(keys[1])
  local wanted = tonumber(args[1])
  -- Of two that claim the same epoch the later name is right, so that both come to agree.
  if epoch > wanted or (epoch == wanted and server > args[2]) then return {'taken', epoch, server, quiet} end
  if server ~= args[2] then
    if server ~= '' and quiet < tonumber(args[3]) then return {'busy', epoch, server, quiet} end
    if redis.call('EXISTS', keys[2]) == 1 then redis.call('HSET', keys[2], 'engine', '') end
    redis.call('DEL', keys[3])
  end
  redis.call('HSET', keys[1], 'epoch', string.format('%d', wanted), 'server', args[2], 'said', string.format('%d', now_ms()))
  return {'ok', wanted, args[2], 0}
end

-- keys: home
local function home_look(keys)
  return {'ok', home_of(keys[1])}
end

-- keys: journal, leader, snapshot, home
-- args: whose server this is, number of the newest record here, then of each entry the number of its last record, how many words, the words
-- Writes entries of another region's journal as they are there, unless that region lives here.
local function replica_append(keys, args)
  local _, server = home_of(keys[4])
  if server == args[1] then return {'home'} end
  local tail = tail_of(keys[1], keys[2], keys[3])
  if tail ~= tonumber(args[2]) then return {'moved', tail} end
  local place, last, words = 3, nil, nil
  while args[place] do
    last, words = args[place], {unpack(args, place + 2, place + 1 + tonumber(args[place + 1]))}
    redis.call('XADD', keys[1], last .. '-0', unpack(words))
    place = place + 2 + #words
  end
  local found = fields_of({last, words})
  redis.call('HSET', keys[2], 'last', last, 'last_epoch', found.e, 'last_engine', found.b)
  return {'ok', tonumber(last)}
end

-- keys: journal, leader, snapshot, home, the chunks, the chunks of the former one
-- args: whose server this is, 1 = begin anew from it, count of chunks, then names and values of the snapshot's hash by turns
-- Makes chunks the snapshot of another region's replica; without chunks and names the replica begins anew with nothing.
local function replica_snapshot(keys, args)
  local _, server = home_of(keys[4])
  if server == args[1] then return {'home'} end
  local behind = 4 + tonumber(args[3])
  for place = 5, behind do
    if redis.call('EXISTS', keys[place]) == 0 then return {'missing'} end
  end
  for place = 5, behind do redis.call('PERSIST', keys[place]) end
  for place = behind + 1, #keys do redis.call('PEXPIRE', keys[place], FORMER_MS) end
  if args[2] == '1' then redis.call('DEL', keys[1], keys[3]) end
  if #args > 3 then redis.call('HSET', keys[3], unpack(args, 4)) end
  if args[2] == '1' then
    local known = redis.call('HMGET', keys[3], 'last', 'epoch', 'engine')
    redis.call('HSET', keys[2], 'last', known[1] or '0', 'last_epoch', known[2] or '0', 'last_engine', known[3] or '')
  end
  return {'ok'}
end

-- keys: bus, the partitions
-- args: source, number that its messages go on from, entries a partition holds, 'drop' or 'wait', and an array in MessagePack with number (as a
-- text), partition, key, type, at and data of each message by turns: one word is read in a third of the time of so many. Numbers of a source
-- grow; those that are there already are left out. Answers with the newest number that is there: a smaller one than was sent when a partition is
-- full, or when the server has lost what the messages go on from.
local function bus_publish(keys, args)
  local source, field, most = args[1], 'last:' .. args[1], tonumber(args[3])
  local last = redis.call('HGET', keys[1], field) or args[2]
  if tonumber(args[2]) > tonumber(last) then return {'behind', last} end
  local answer, newest, rooms, call, words = 'ok', tonumber(last), {}, redis.call, cmsgpack.unpack(args[5])
  for place = 1, #words, 6 do
    local number = tonumber(words[place])
    if number > newest then
      local stream = keys[2 + words[place + 1]]
      local room = rooms[stream] or most - call('XLEN', stream)
      if room <= 0 then
        if args[4] == 'wait' and #call('XINFO', 'GROUPS', stream) > 0 then
          answer = 'full'
          break
        end
        call('HINCRBY', keys[1], 'dropped', call('XTRIM', stream, 'MAXLEN', most - 1))
        room = 1
      end
      call('XADD', stream, '*', 'source', source, 'number', words[place], 'key', words[place + 2], 'type', words[place + 3], 'at', words[place + 4], 'data', words[place + 5])
      rooms[stream], last, newest = room - 1, words[place], number
    end
  end
  call('HSET', keys[1], field, last)
  return {answer, last}
end

-- An acknowledgement takes no more ids: they lie on Lua's stack.
local ACKS_MAX = 1000

-- keys: some partitions; args: group, then the ids of entries for each partition, with commas between
local function bus_ack(keys, args)
  for place, stream in ipairs(keys) do
    local ids = {}
    for id in string.gmatch(args[1 + place], '[^,]+') do
      ids[#ids + 1] = id
      if #ids == ACKS_MAX then
        redis.call('XACK', stream, args[1], unpack(ids))
        ids = {}
      end
    end
    if #ids > 0 then redis.call('XACK', stream, args[1], unpack(ids)) end
  end
  return {'ok'}
end

-- keys: bus; args: source, number. Where a source begins; answers with where it stands.
local function bus_begin(keys, args)
  redis.call('HSETNX', keys[1], 'last:' .. args[1], args[2])
  return {'ok', redis.call('HGET', keys[1], 'last:' .. args[1])}
end

-- keys: owners of a group; args: consumer, ms, partitions, then those that it must not lose now
-- Who is in the group shares the partitions; answers with those of the one that asks. What somebody had who is gone is free.
local function bus_own(keys, args)
  local owners, me, count, now = keys[1], args[1], tonumber(args[3]), now_ms()
  redis.call('HSET', owners, 'c:' .. me, string.format('%d', now + tonumber(args[2])))
  local lives, total, holder, busy = {}, 0, {}, {}
  local found = redis.call('HGETALL', owners)
  for place = 1, #found, 2 do
    local name = string.sub(found[place], 3)
    if string.sub(found[place], 1, 2) == 'p:' then
      holder[name] = found[place + 1]
    elseif tonumber(found[place + 1]) > now then
      lives[name], total = true, total + 1
    else
      redis.call('HDEL', owners, found[place])
    end
  end
  for place = 4, #args do busy[args[place]] = true end
  local fair, mine = math.ceil(count / total), {'ok'}
  for place = 0, count - 1 do
    local name = string.format('%d', place)
    if holder[name] == me and (busy[name] or #mine <= fair) then
      mine[#mine + 1] = place
    elseif holder[name] == me then
      redis.call('HDEL', owners, 'p:' .. name)
      holder[name] = me .. ' no more'
    end
  end
  for place = 0, count - 1 do
    local name = string.format('%d', place)
    if #mine <= fair and (not holder[name] or not lives[holder[name]]) and holder[name] ~= me .. ' no more' then
      redis.call('HSET', owners, 'p:' .. name, me)
      mine[#mine + 1] = place
    end
  end
  redis.call('PEXPIRE', owners, 100 * tonumber(args[2]))
  return mine
end

-- Sets an entry aside that a group could not take.
local function bury(stream, dead, group, found, most)
  local entry = redis.call('XRANGE', stream, found[1], found[1])[1]
  if entry then
    local words = {'XADD', dead, 'MAXLEN', most, '*', 'group', group, 'partition', stream, 'entry', found[1], 'deliveries', found[4], 'consumer', found[2]}
    for place = 1, #entry[2] do words[#words + 1] = entry[2][place] end
    redis.call(unpack(words))
  end
  redis.call('XACK', stream, group, found[1])
end

-- keys: partition, dead; args: group, consumer, count, deliveries, dead kept
-- Hands out again what was not acknowledged, whoever had it, oldest first; what was handed out too often is set aside.
local function bus_again(keys, args)
  local ids = {}
  for _, found in ipairs(redis.call('XPENDING', keys[1], args[1], '-', '+', args[3])) do
    if found[4] >= tonumber(args[4]) then bury(keys[1], keys[2], args[1], found, args[5]) else ids[#ids + 1] = found[1] end
  end
  if #ids == 0 then return {} end
  return redis.call('XCLAIM', keys[1], args[1], args[2], 0, unpack(ids))
end

local function before(one, other)
  local a, b = string.match(one, '^(%d+)-(%d+)$')
  local c, d = string.match(other, '^(%d+)-(%d+)$')
  return tonumber(a) < tonumber(c) or (tonumber(a) == tonumber(c) and tonumber(b) < tonumber(d))
end

-- keys: partition, dead; args: deliveries, idle ms, dead kept
-- Removes what every group has acknowledged, and sets aside what was handed out too often and lies with nobody that goes on.
local function bus_tidy(keys, args)
  if redis.call('EXISTS', keys[1]) == 0 then return {'ok', 0, 0, redis.call('XLEN', keys[2])} end
  local low
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', keys[1])) do
    local group = {}
    for place = 1, #flat, 2 do group[flat[place]] = flat[place + 1] end
    for _, found in ipairs(redis.call('XPENDING', keys[1], group.name, 'IDLE', args[2], '-', '+', 100)) do
      if found[4] >= tonumber(args[1]) then bury(keys[1], keys[2], group.name, found, args[3]) end
    end
    local left = redis.call('XPENDING', keys[1], group.name)
    local time, number = string.match(group['last-delivered-id'], '^(%d+)-(%d+)$')
    local bound = left[1] > 0 and left[2] or time .. '-' .. string.format('%d', tonumber(number) + 1)
    if not low or before(bound, low) then low = bound end
  end
  local gone = low and redis.call('XTRIM', keys[1], 'MINID', low) or 0
  return {'ok', gone, redis.call('XLEN', keys[1]), redis.call('XLEN', keys[2])}
end

local function has_group(stream, group)
  if redis.call('EXISTS', stream) == 0 then return false end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    for place = 1, #flat, 2 do
      if flat[place] == 'name' and flat[place + 1] == group then return true end
    end
  end
  return false
end

-- keys: dead, bus, the partitions; args: entries a partition holds, then id and partition of each by turns
-- Tells what was set aside again, behind what is there and each for the group that gave it up. Answers with how many stay for want of
-- their group, how many for want of room, and the ids of those that were told.
local function bus_replay(keys, args)
  local answer, told = {'ok', 0, 0}, {'source', 'number', 'key', 'type', 'at', 'data'}
  for place = 2, #args, 2 do
    local entry, stream = redis.call('XRANGE', keys[1], args[place], args[place])[1], keys[3 + args[place + 1]]
    if entry then
      local found, words = {}, {}
      for at = 1, #entry[2], 2 do found[entry[2][at]] = entry[2][at + 1] end
      if not has_group(stream, found.group) then
        answer[2] = answer[2] + 1
      elseif redis.call('XLEN', stream) >= tonumber(args[1]) then
        answer[3] = answer[3] + 1
      else
        for _, name in ipairs(told) do
          words[#words + 1] = name
          words[#words + 1] = found[name]
        end
        redis.call('XADD', stream, '*', 'for', found.group, 'again', redis.call('HINCRBY', keys[2], 'again', 1), unpack(words))
        redis.call('XDEL', keys[1], args[place])
        answer[#answer + 1] = args[place]
      end
    end
  end
  return answer
end

-- keys: leader, work; args: epoch, engine, ms, message
-- What a leader tells a host: one that leads no more tells nothing, so that no work begins that was given to others.
local function host_send(keys, args)
  local refused = leads(keys[1], args[1], args[2])
  if refused then return refused end
  redis.call('XADD', keys[2], '*', 'm', args[4])
  redis.call('PEXPIRE', keys[2], args[3])
  return {'ok'}
end

-- keys: leader, reports; args: epoch, kept, ms, message
-- What a host tells whoever leads. It keeps what it told until that is durable, so the Stream may be short, and lost.
local function host_tell(keys, args)
  local found = redis.call('HMGET', keys[1], 'epoch', 'engine')
  if not found[1] then return {'none', 0, ''} end
  if found[1] ~= args[1] then return {'moved', tonumber(found[1]), found[2] or ''} end
  redis.call('XADD', keys[2], 'MAXLEN', '~', args[2], '*', 'e', args[1], 'm', args[4])
  redis.call('PEXPIRE', keys[2], args[3])
  return {'ok', tonumber(found[1]), found[2] or ''}
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
redis.register_function{function_name = 'LIBRARY_call_withdraw', callback = call_withdraw, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_server_clock', callback = server_clock, flags = READS}
redis.register_function{function_name = 'LIBRARY_member_tell', callback = member_tell, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_region_tell', callback = region_tell, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_home_claim', callback = home_claim, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_home_look', callback = home_look, flags = READS}
redis.register_function('LIBRARY_replica_append', replica_append)
redis.register_function{function_name = 'LIBRARY_replica_snapshot', callback = replica_snapshot, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_host_send', callback = host_send, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_host_tell', callback = host_tell, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_journal_trim', callback = journal_trim, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_snapshot_done', callback = snapshot_done, flags = ALWAYS}
redis.register_function('LIBRARY_bus_publish', bus_publish)
redis.register_function('LIBRARY_bus_replay', bus_replay)
redis.register_function{function_name = 'LIBRARY_bus_ack', callback = bus_ack, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_bus_begin', callback = bus_begin, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_bus_own', callback = bus_own, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_bus_again', callback = bus_again, flags = ALWAYS}
redis.register_function{function_name = 'LIBRARY_bus_tidy', callback = bus_tidy, flags = ALWAYS}
