-- How the writer's connection takes a batch: as one row of a temporary view, whose trigger puts everything where it
-- belongs. So a batch is one statement, which is one transaction, and the interpreter lock is given away once for all
-- of it. 256 changed tasks, beside a busy loop: executemany 346 ms (it takes the lock back for each row), a statement
-- a table in BEGIN and COMMIT 15 ms, this 6 ms. Binding a value a column would cost 2 µs a row with the lock held.
--
-- `texts` is a blob: all large JSON texts, end to end. The other columns are JSON arrays of small rows, one a kind of
-- change, that say where in it their texts start and how long they are (0 = NULL). So no text is parsed, whatever it
-- holds: 1.5 µs a row, against 4.1 with the texts inside the arrays. MATERIALIZED makes an element once, not once a
-- column; a trigger takes WITH in subqueries only. projections.py makes the rows, in the order of the columns here.

CREATE TEMP VIEW batch AS SELECT
  0 AS first, 0 AS last, 0 AS at, x'' AS texts, 0 AS events, 0 AS tasks_new, 0 AS tasks_changed, 0 AS tasks_turned,
  0 AS dependencies, 0 AS agents_new, 0 AS agents_changed, 0 AS agents_removed, 0 AS agents_respecified, 0 AS kept, 0 AS dropped,
  0 AS memory, 0 AS permitted, 0 AS relisted, 0 AS purged, 0 AS conflicted, 0 AS losers, 0 AS settled;

CREATE TEMP TRIGGER batch_written INSTEAD OF INSERT ON batch BEGIN

  INSERT INTO events (id, type, agent_id, timestamp, cause, data)
  SELECT id, type, agent, at, cause, CAST(substr(new.texts, start, size) AS TEXT) FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.events))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS type, json_extract(v, '$[2]') AS agent,
      json_extract(v, '$[3]') AS at, json_extract(v, '$[4]') AS cause,
      json_extract(v, '$[5]') AS start, json_extract(v, '$[6]') AS size
    FROM element);

  INSERT INTO audit (id, timestamp, who, via, address, action, target, reason, result, plan, before, after)
  SELECT id, timestamp, json_extract(data, '$.entry.who'), json_extract(data, '$.entry.via'),
    json_extract(data, '$.entry.address'), json_extract(data, '$.entry.action'), json_extract(data, '$.entry.target'),
    json_extract(data, '$.entry.reason'), json_extract(data, '$.entry.result'), json_extract(data, '$.entry.plan'),
    json_extract(data, '$.entry.before'), json_extract(data, '$.entry.after')
  FROM events WHERE id >= new.first AND type = 'audit';

  INSERT INTO agents (id, status, updated_at, progress, removed_at, created_at, type, pool, metadata,
    first_record, last_record)
  SELECT id, status, updated, CAST(substr(new.texts, start, size) AS TEXT), removed, created, type, pool,
    CAST(substr(new.texts, spec_start, spec_size) AS TEXT), new.first, new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.agents_new))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS status, json_extract(v, '$[2]') AS updated,
      json_extract(v, '$[3]') AS start, json_extract(v, '$[4]') AS size, json_extract(v, '$[5]') AS removed,
      json_extract(v, '$[6]') AS created, json_extract(v, '$[7]') AS type, json_extract(v, '$[8]') AS pool,
      json_extract(v, '$[9]') AS spec_start, json_extract(v, '$[10]') AS spec_size
    FROM element);

  UPDATE agents
  SET status = change.status, updated_at = change.updated, last_record = new.last,
    progress = CAST(substr(new.texts, change.start, change.size) AS TEXT)
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.agents_changed))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS status, json_extract(v, '$[2]') AS updated,
      json_extract(v, '$[3]') AS start, json_extract(v, '$[4]') AS size
    FROM element) AS change
  WHERE agents.id = change.id;

  UPDATE agents
  SET status = 'removed', updated_at = new.at, removed_at = new.at, last_record = new.last,
    progress = CAST(substr(new.texts, change.start, change.size) AS TEXT)
  FROM (
    SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS start, json_extract(value, '$[2]') AS size
    FROM json_each(new.agents_removed)) AS change
  WHERE agents.id = change.id;

  UPDATE agents
  SET type = change.type, metadata = CAST(substr(new.texts, change.start, change.size) AS TEXT)
  FROM (
    SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS type, json_extract(value, '$[2]') AS start,
      json_extract(value, '$[3]') AS size
    FROM json_each(new.agents_respecified)) AS change
  WHERE agents.id = change.id;

  INSERT INTO tasks (id, agent_id, status, priority, attempts, progress, result, completed_at, turn, ended, created_at,
    type, pool, title, idempotency_key, deadline, spec, first_record, last_record)
  SELECT id, agent, status, priority, attempts, CAST(substr(new.texts, start, size) AS TEXT),
    iif(result_size, CAST(substr(new.texts, result_start, result_size) AS TEXT), NULL), completed, turn, ended, created,
    type, pool, title, key, deadline, CAST(substr(new.texts, spec_start, spec_size) AS TEXT), new.first, new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.tasks_new))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS agent, json_extract(v, '$[2]') AS status,
      json_extract(v, '$[3]') AS priority, json_extract(v, '$[4]') AS attempts, json_extract(v, '$[5]') AS start,
      json_extract(v, '$[6]') AS size, json_extract(v, '$[7]') AS result_start, json_extract(v, '$[8]') AS result_size,
      json_extract(v, '$[9]') AS completed, json_extract(v, '$[10]') AS turn, json_extract(v, '$[11]') AS ended,
      json_extract(v, '$[12]') AS created, json_extract(v, '$[13]') AS type, json_extract(v, '$[14]') AS pool,
      json_extract(v, '$[15]') AS title, json_extract(v, '$[16]') AS key, json_extract(v, '$[17]') AS deadline,
      json_extract(v, '$[18]') AS spec_start, json_extract(v, '$[19]') AS spec_size
    FROM element);

  UPDATE tasks
  SET agent_id = coalesce(change.agent, agent_id), status = change.status, priority = change.priority,
    attempts = change.attempts, progress = CAST(substr(new.texts, change.start, change.size) AS TEXT),
    result = iif(change.result_size, CAST(substr(new.texts, change.result_start, change.result_size) AS TEXT), NULL),
    last_record = new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.tasks_changed))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS agent, json_extract(v, '$[2]') AS status,
      json_extract(v, '$[3]') AS priority, json_extract(v, '$[4]') AS attempts, json_extract(v, '$[5]') AS start,
      json_extract(v, '$[6]') AS size, json_extract(v, '$[7]') AS result_start, json_extract(v, '$[8]') AS result_size
    FROM element) AS change
  WHERE tasks.id = change.id;

  -- Tasks that have ended, or wait anew. (`ended` has an index, which the changes above leave alone.)
  UPDATE tasks
  SET agent_id = coalesce(change.agent, agent_id), status = change.status, priority = change.priority,
    attempts = change.attempts, progress = CAST(substr(new.texts, change.start, change.size) AS TEXT),
    result = iif(change.result_size, CAST(substr(new.texts, change.result_start, change.result_size) AS TEXT), NULL),
    completed_at = change.completed, turn = change.turn, ended = change.ended, last_record = new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.tasks_turned))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS agent, json_extract(v, '$[2]') AS status,
      json_extract(v, '$[3]') AS priority, json_extract(v, '$[4]') AS attempts, json_extract(v, '$[5]') AS start,
      json_extract(v, '$[6]') AS size, json_extract(v, '$[7]') AS result_start, json_extract(v, '$[8]') AS result_size,
      json_extract(v, '$[9]') AS completed, json_extract(v, '$[10]') AS turn, json_extract(v, '$[11]') AS ended
    FROM element) AS change
  WHERE tasks.id = change.id;

  INSERT OR IGNORE INTO dependencies (task_id, depends_on)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(new.dependencies);

  INSERT INTO resources (kind, id, data)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
    CAST(substr(new.texts, json_extract(value, '$[2]'), json_extract(value, '$[3]')) AS TEXT)
  FROM json_each(new.kept) WHERE true
  ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data;

  DELETE FROM resources
  WHERE (kind, id) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(new.dropped));

  INSERT OR REPLACE INTO consensus (id, task_id, agent_id, confidence, reasoning, timestamp, proposal, voter, choice, number)
  SELECT proposal || ' ' || voter || ' ' || number, (SELECT json_extract(data, '$.proposal.task') FROM resources WHERE kind = 'proposal' AND id = proposal),
    CASE WHEN voter LIKE '@%' THEN NULL ELSE voter END, confidence, reasoning, timestamp, proposal, voter, choice, number
  FROM (
    SELECT json_extract(events.data, '$.proposal') AS proposal, json_extract(ballot.value, '$.voter') AS voter,
      json_extract(ballot.value, '$.number') AS number, json_extract(ballot.value, '$.confidence') AS confidence,
      json_extract(ballot.value, '$.reasoning') AS reasoning, events.timestamp AS timestamp,
      json_extract(ballot.value, '$.choice') AS choice
    FROM events, json_each(events.data, '$.ballots') AS ballot
    WHERE events.id >= new.first AND events.type = 'consensus.cast');

END;

-- Most batches say nothing of memory: then its seven statements cost a third of the batch's time without doing anything.
CREATE TEMP TRIGGER batch_of_memory INSTEAD OF INSERT ON batch
WHEN coalesce(new.memory, new.permitted, new.relisted, new.purged, new.conflicted, new.losers, new.settled) IS NOT NULL BEGIN

  -- Entries of memory: each once, as it is after the batch. A bare number stays a blob (memory.sql says why).
  INSERT INTO memory (namespace, owner_id, key, acl_level, kind, team, swarm, writer, version, created_at, updated_at, ttl,
    expires_at, deleted, size, artifact, embedder, last_record, changed, value, head, embedding)
  SELECT namespace, owner, key, level, kind, team, swarm, writer, version, created, updated, ttl, expires, deleted, size,
    nullif(artifact, ''), embedder, record, record,
    iif(bare, substr(new.texts, start, length), CAST(substr(new.texts, start, length) AS TEXT)),
    CAST(substr(new.texts, head_start, head_length) AS TEXT),
    iif(embedding_length, substr(new.texts, embedding_start, embedding_length), NULL)
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.memory))
    SELECT json_extract(v, '$[0]') AS namespace, json_extract(v, '$[1]') AS owner, json_extract(v, '$[2]') AS key,
      json_extract(v, '$[3]') AS level, json_extract(v, '$[4]') AS kind, json_extract(v, '$[5]') AS team,
      json_extract(v, '$[6]') AS swarm, json_extract(v, '$[7]') AS writer, json_extract(v, '$[8]') AS version,
      json_extract(v, '$[9]') AS created, json_extract(v, '$[10]') AS updated, json_extract(v, '$[11]') AS ttl,
      json_extract(v, '$[12]') AS expires, json_extract(v, '$[13]') AS deleted, json_extract(v, '$[14]') AS size,
      json_extract(v, '$[15]') AS artifact, json_extract(v, '$[16]') AS embedder, json_extract(v, '$[17]') AS record,
      json_extract(v, '$[18]') AS bare, json_extract(v, '$[19]') AS start, json_extract(v, '$[20]') AS length,
      json_extract(v, '$[21]') AS head_start, json_extract(v, '$[22]') AS head_length,
      json_extract(v, '$[23]') AS embedding_start, json_extract(v, '$[24]') AS embedding_length
    FROM element)
  WHERE true
  ON CONFLICT (namespace, owner_id, key) DO UPDATE SET acl_level = excluded.acl_level, kind = excluded.kind,
    team = excluded.team, swarm = excluded.swarm, writer = excluded.writer, version = excluded.version,
    created_at = excluded.created_at, updated_at = excluded.updated_at, ttl = excluded.ttl,
    expires_at = excluded.expires_at, deleted = excluded.deleted, size = excluded.size, artifact = excluded.artifact,
    embedder = excluded.embedder, last_record = excluded.last_record, changed = excluded.changed, value = excluded.value, head = excluded.head,
    embedding = excluded.embedding;

  -- The same without its value.
  UPDATE memory
  SET acl_level = change.level, writer = change.writer, version = change.version, updated_at = change.updated,
    last_record = change.record, changed = change.record, head = CAST(substr(new.texts, change.start, change.length) AS TEXT)
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.permitted))
    SELECT json_extract(v, '$[0]') AS namespace, json_extract(v, '$[1]') AS owner, json_extract(v, '$[2]') AS key,
      json_extract(v, '$[3]') AS level, json_extract(v, '$[4]') AS writer, json_extract(v, '$[5]') AS version,
      json_extract(v, '$[6]') AS updated, json_extract(v, '$[7]') AS record, json_extract(v, '$[8]') AS start,
      json_extract(v, '$[9]') AS length
    FROM element) AS change
  WHERE memory.namespace = change.namespace AND memory.owner_id = change.owner AND memory.key = change.key;

  DELETE FROM permissions
  WHERE (namespace, owner_id, key) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(new.relisted));

  INSERT OR IGNORE INTO permissions (namespace, owner_id, key, agent_id, action, granted_by, granted_at)
  SELECT json_extract(entry.value, '$[0]'), json_extract(entry.value, '$[1]'), json_extract(entry.value, '$[2]'), named.value,
    action.column1, json_extract(entry.value, '$[3]'), json_extract(entry.value, '$[4]')
  FROM json_each(new.relisted) AS entry
  JOIN (VALUES ('read', '$[5]'), ('write', '$[6]'), ('delete', '$[7]')) AS action
  JOIN json_each(entry.value, action.column2) AS named;

  DELETE FROM memory
  WHERE deleted = 1 AND (namespace, owner_id, key) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(new.purged));

  -- Entries that stay as they are but for their conflicts.
  UPDATE memory
  SET changed = change.record, head = CAST(substr(new.texts, change.start, change.length) AS TEXT)
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.conflicted))
    SELECT json_extract(v, '$[0]') AS namespace, json_extract(v, '$[1]') AS owner, json_extract(v, '$[2]') AS key,
      json_extract(v, '$[3]') AS record, json_extract(v, '$[4]') AS start, json_extract(v, '$[5]') AS length
    FROM element) AS change
  WHERE memory.namespace = change.namespace AND memory.owner_id = change.owner AND memory.key = change.key;

  INSERT OR REPLACE INTO conflicts (namespace, owner_id, key, life, number, version, agent_id, timestamp, record, artifact, value,
    head, embedding)
  SELECT namespace, owner, key, life, number, version, writer, at, record, artifact,
    iif(bare, substr(new.texts, start, length), CAST(substr(new.texts, start, length) AS TEXT)),
    CAST(substr(new.texts, head_start, head_length) AS TEXT),
    iif(embedding_length, substr(new.texts, embedding_start, embedding_length), NULL)
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.losers))
    SELECT json_extract(v, '$[0]') AS namespace, json_extract(v, '$[1]') AS owner, json_extract(v, '$[2]') AS key,
      json_extract(v, '$[3]') AS life, json_extract(v, '$[4]') AS number, json_extract(v, '$[5]') AS version,
      json_extract(v, '$[6]') AS writer, json_extract(v, '$[7]') AS at, json_extract(v, '$[8]') AS record,
      json_extract(v, '$[9]') AS artifact, json_extract(v, '$[10]') AS bare, json_extract(v, '$[11]') AS start,
      json_extract(v, '$[12]') AS length, json_extract(v, '$[13]') AS head_start, json_extract(v, '$[14]') AS head_length,
      json_extract(v, '$[15]') AS embedding_start, json_extract(v, '$[16]') AS embedding_length
    FROM element);

  DELETE FROM conflicts
  WHERE (namespace, owner_id, key, life, number) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
      json_extract(value, '$[4]') FROM json_each(new.settled));
END;
