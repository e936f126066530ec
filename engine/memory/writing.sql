-- How the writer's connection takes a batch: as one row of a temporary view, with a JSON array for each kind of change;
-- its trigger puts everything where it belongs. So a batch is one statement, which is one transaction, and the
-- interpreter lock is given away once for all of it. 256 changed tasks, beside a busy loop: executemany 346 ms (it
-- takes the lock back for each row), a statement a table in BEGIN and COMMIT 15 ms, this 7 ms. One row a thing and
-- bound values (VALUES with 12 columns) cost 2 µs a row for binding alone, with the lock held.
-- MATERIALIZED renders each element once and not once a column, 4.9 -> 3.0 µs a row; a trigger takes WITH in
-- subqueries only. What the elements are is said by the columns that they go into; projections.py makes them.

CREATE TEMP VIEW batch AS SELECT
  0 AS first, 0 AS last, 0 AS at, 0 AS events, 0 AS tasks_new, 0 AS tasks_changed, 0 AS tasks_turned,
  0 AS dependencies, 0 AS agents_new, 0 AS agents_changed, 0 AS agents_removed, 0 AS kept, 0 AS dropped;

CREATE TEMP TRIGGER batch_written INSTEAD OF INSERT ON batch BEGIN

  INSERT INTO events (id, type, agent_id, timestamp, data, cause)
  SELECT * FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.events))
    SELECT json_extract(v, '$[0]'), json_extract(v, '$[1]'), json_extract(v, '$[2]'), json_extract(v, '$[3]'),
      json_extract(v, '$[4]'), json_extract(v, '$[5]')
    FROM element);

  INSERT INTO audit (id, timestamp, who, via, address, action, target, reason, result, plan, before, after)
  SELECT id, timestamp, json_extract(data, '$.entry.who'), json_extract(data, '$.entry.via'),
    json_extract(data, '$.entry.address'), json_extract(data, '$.entry.action'), json_extract(data, '$.entry.target'),
    json_extract(data, '$.entry.reason'), json_extract(data, '$.entry.result'), json_extract(data, '$.entry.plan'),
    json_extract(data, '$.entry.before'), json_extract(data, '$.entry.after')
  FROM events WHERE id >= new.first AND type = 'audit';

  INSERT INTO agents (id, status, created_at, updated_at, metadata, progress, removed_at, type, pool,
    first_record, last_record)
  SELECT *, new.first, new.last FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.agents_new))
    SELECT json_extract(v, '$[0]'), json_extract(v, '$[1]'), json_extract(v, '$[2]'), json_extract(v, '$[3]'),
      json_extract(v, '$[4]'), json_extract(v, '$[5]'), json_extract(v, '$[6]'), json_extract(v, '$[7]'),
      json_extract(v, '$[8]')
    FROM element);

  UPDATE agents
  SET status = change.status, updated_at = change.at, progress = change.progress, last_record = new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.agents_changed))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS status, json_extract(v, '$[2]') AS at,
      json_extract(v, '$[3]') AS progress
    FROM element) AS change
  WHERE agents.id = change.id;

  UPDATE agents
  SET status = 'removed', updated_at = new.at, progress = change.progress, removed_at = new.at, last_record = new.last
  FROM (
    SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS progress
    FROM json_each(new.agents_removed)) AS change
  WHERE agents.id = change.id;

  INSERT INTO tasks (id, agent_id, status, priority, attempts, result, progress, completed_at, turn, ended, created_at,
    type, pool, title, idempotency_key, deadline, spec, first_record, last_record)
  SELECT *, new.first, new.last FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.tasks_new))
    SELECT json_extract(v, '$[0]'), json_extract(v, '$[1]'), json_extract(v, '$[2]'), json_extract(v, '$[3]'),
      json_extract(v, '$[4]'), json_extract(v, '$[5]'), json_extract(v, '$[6]'), json_extract(v, '$[7]'),
      json_extract(v, '$[8]'), json_extract(v, '$[9]'), json_extract(v, '$[10]'), json_extract(v, '$[11]'),
      json_extract(v, '$[12]'), json_extract(v, '$[13]'), json_extract(v, '$[14]'), json_extract(v, '$[15]'),
      json_extract(v, '$[16]')
    FROM element);

  UPDATE tasks
  SET agent_id = coalesce(change.agent, agent_id), status = change.status, priority = change.priority,
    attempts = change.attempts, result = change.result, progress = change.progress, last_record = new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.tasks_changed))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS agent, json_extract(v, '$[2]') AS status,
      json_extract(v, '$[3]') AS priority, json_extract(v, '$[4]') AS attempts, json_extract(v, '$[5]') AS result,
      json_extract(v, '$[6]') AS progress
    FROM element) AS change
  WHERE tasks.id = change.id;

  -- Tasks that have ended, or wait anew. (`ended` has an index, which the changes above leave alone.)
  UPDATE tasks
  SET agent_id = coalesce(change.agent, agent_id), status = change.status, priority = change.priority,
    attempts = change.attempts, result = change.result, progress = change.progress, completed_at = change.completed, turn = change.turn,
    ended = change.ended, last_record = new.last
  FROM (
    WITH element (v) AS MATERIALIZED (SELECT value FROM json_each(new.tasks_turned))
    SELECT json_extract(v, '$[0]') AS id, json_extract(v, '$[1]') AS agent, json_extract(v, '$[2]') AS status,
      json_extract(v, '$[3]') AS priority, json_extract(v, '$[4]') AS attempts, json_extract(v, '$[5]') AS result,
      json_extract(v, '$[6]') AS progress, json_extract(v, '$[7]') AS completed, json_extract(v, '$[8]') AS turn,
      json_extract(v, '$[9]') AS ended
    FROM element) AS change
  WHERE tasks.id = change.id;

  INSERT OR IGNORE INTO dependencies (task_id, depends_on)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(new.dependencies);

  INSERT INTO resources (kind, id, data)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
  FROM json_each(new.kept) WHERE true
  ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data;

  DELETE FROM resources
  WHERE (kind, id) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(new.dropped));
END;
