-- The seeds' twelve tables (seed B 5.1) and what the engine adds. Version 1; later steps are in migrations.py.
--
-- Instants are seconds since the epoch, with a fraction: INTEGER columns keep it. Durations are seconds.
-- A column of type JSON has numeric affinity: text that is one bare number becomes a number. Store objects or arrays.
-- Foreign keys say what refers to what; they are not enforced while writing, `PRAGMA foreign_key_check` finds nothing.
-- Rows are inserted in order of birth, so rowids tell the order of agents, tasks, pools and plans.
-- The engine loads from the JSON columns; what other columns repeat of them (up to a NUL) is for queries and for people.
-- (No generated columns for that: SQLite computes even virtual ones whenever a row is written.)

CREATE TABLE agents (
  id TEXT NOT NULL PRIMARY KEY,
  type TEXT NOT NULL,
  status TEXT NOT NULL,                 -- AgentStatus, or removed; assigned and busy follow from tasks.agent_id
  pool TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  metadata JSON,                        -- AgentSpec
  progress JSON,                        -- all else of Agent
  removed_at INTEGER,
  first_record INTEGER NOT NULL,        -- every record that changed it has a seq from first_record
  last_record INTEGER NOT NULL          -- to last_record
);
CREATE INDEX agents_removed ON agents (removed_at);

-- The journal.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,               -- the record's seq
  type TEXT NOT NULL,
  agent_id TEXT,                        -- when it is about one agent
  timestamp INTEGER NOT NULL,
  data JSON,
  cause TEXT NOT NULL DEFAULT '',
  FOREIGN KEY (agent_id) REFERENCES agents (id)
);

CREATE TABLE tasks (
  id TEXT NOT NULL PRIMARY KEY,
  agent_id TEXT,                        -- who has it, or had it last
  status TEXT NOT NULL,                 -- TaskState
  priority INTEGER DEFAULT 5,
  created_at INTEGER NOT NULL,
  completed_at INTEGER,
  result JSON,                          -- NULL = empty
  spec JSON,                            -- TaskSpec, written once
  progress JSON,                        -- all else of Task
  turn INTEGER NOT NULL,                -- grows with every task that begins to wait, or ends: the order of both
  ended INTEGER,                        -- its turn when it has ended, else NULL
  first_record INTEGER NOT NULL,        -- as in agents
  last_record INTEGER NOT NULL,
  type TEXT NOT NULL,
  pool TEXT NOT NULL,
  title TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  deadline INTEGER NOT NULL,            -- 0 = none
  attempts INTEGER NOT NULL,
  FOREIGN KEY (agent_id) REFERENCES agents (id)
);
CREATE INDEX tasks_ended ON tasks (ended);

CREATE TABLE memory (
  namespace TEXT NOT NULL DEFAULT 'default',
  key TEXT NOT NULL,
  value JSON NOT NULL,
  acl_level TEXT DEFAULT 'private',
  owner_id TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  ttl INTEGER,                          -- seconds
  expires_at INTEGER,
  version INTEGER NOT NULL DEFAULT 1,   -- compare-and-set
  deleted INTEGER NOT NULL DEFAULT 0,   -- 1 = a tombstone
  PRIMARY KEY (namespace, owner_id, key)
);

CREATE TABLE consensus (
  id TEXT NOT NULL PRIMARY KEY,
  task_id TEXT,
  agent_id TEXT,
  confidence REAL NOT NULL,
  reasoning TEXT,
  timestamp INTEGER NOT NULL,
  FOREIGN KEY (task_id) REFERENCES tasks (id),
  FOREIGN KEY (agent_id) REFERENCES agents (id)
);

-- Pools, hosts, machines with what agents take of them, gangs, allocations, plans, and one row of the fleet itself.
CREATE TABLE resources (
  kind TEXT NOT NULL,                   -- pool, host, machine, gang, allocation, plan, policy, fleet
  id TEXT NOT NULL,
  data JSON NOT NULL,
  PRIMARY KEY (kind, id)
);

-- Who may do what to a memory entry beyond its level.
CREATE TABLE permissions (
  namespace TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  key TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('read', 'write', 'delete')),
  granted_by TEXT NOT NULL DEFAULT '',
  granted_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, owner_id, key, agent_id, action)
);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,               -- the seq of its event
  timestamp INTEGER NOT NULL,
  who TEXT NOT NULL,
  via TEXT NOT NULL,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  result TEXT NOT NULL,
  plan TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  FOREIGN KEY (id) REFERENCES events (id)
);

CREATE TABLE metrics (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  labels JSON,
  timestamp INTEGER NOT NULL,
  value REAL NOT NULL
);
CREATE INDEX metrics_series ON metrics (name, timestamp);

CREATE TABLE dependencies (
  task_id TEXT NOT NULL,
  depends_on TEXT NOT NULL,
  PRIMARY KEY (task_id, depends_on),
  FOREIGN KEY (task_id) REFERENCES tasks (id),
  FOREIGN KEY (depends_on) REFERENCES tasks (id)
);

-- What lost when two writers of a memory entry met.
CREATE TABLE conflicts (
  id INTEGER PRIMARY KEY,
  namespace TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value JSON,
  version INTEGER NOT NULL,
  agent_id TEXT,
  timestamp INTEGER NOT NULL
);

-- Large payloads, once each.
CREATE TABLE artifacts (
  id TEXT NOT NULL PRIMARY KEY,         -- sha256 of data
  task_id TEXT,
  media TEXT NOT NULL,
  size INTEGER NOT NULL,                -- bytes
  data BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  FOREIGN KEY (task_id) REFERENCES tasks (id)
);
