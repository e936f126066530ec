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
  0 AS dependencies, 0 AS agents_new, 0 AS agents_changed, 0 AS agents_removed, 0 AS agents_respecified, 0 AS kept, 0 AS dropped;

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
END;
