-- Step 6: notifications of alerts on their way out, so that a restart loses none: a row for each channel and notification, and what
-- each group of alerts was last told of. Owner: engine/monitoring/notifying/outbox.py, through the database's one writer.

CREATE TABLE alert_letters (
  number INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  state TEXT NOT NULL,                  -- waiting, sent, parked
  due_at REAL NOT NULL,                 -- when it is tried next
  attempts INTEGER NOT NULL,
  error TEXT NOT NULL,
  ended_at REAL NOT NULL,               -- when it was sent or parked; 0 = it waits
  notification TEXT NOT NULL            -- JSON
);

CREATE TABLE alert_groups (
  key TEXT PRIMARY KEY,
  data TEXT NOT NULL                    -- JSON
);
