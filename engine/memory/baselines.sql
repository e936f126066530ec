-- Step 9: what was measured in a span, kept by name, so that later spans can be compared with it when the history is gone.
CREATE TABLE metric_baselines (
  name TEXT PRIMARY KEY,
  saved_at REAL NOT NULL,
  who TEXT NOT NULL,
  since INTEGER NOT NULL,               -- first and last instant, seconds since the epoch
  until INTEGER NOT NULL,
  step INTEGER NOT NULL,                -- seconds of one value
  data BLOB NOT NULL                    -- engine/monitoring/baselines.py
);
