-- The measured history of the fleet: compressed columns of many samples, a row for each series and span. The table
-- `metrics` of the seeds' schema holds one value a row: 35 million rows a day for what these hold in a few ten thousand.

CREATE TABLE metric_series (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,                   -- of the catalogue
  label TEXT NOT NULL,                  -- pool, or empty for the fleet
  UNIQUE (name, label)
);

CREATE TABLE metric_blocks (
  series INTEGER NOT NULL REFERENCES metric_series (id),
  step INTEGER NOT NULL,                -- seconds of one slot: 1, 60, 3600
  start INTEGER NOT NULL,               -- instant of the first slot, seconds since the epoch
  data BLOB NOT NULL,                   -- engine/monitoring/blocks.py
  UNIQUE (series, step, start)
);

-- What agents read at the end of each minute: a row a metric, the values of all agents in it.
CREATE TABLE metric_agents (
  at INTEGER NOT NULL,                  -- the minute's begin
  name TEXT NOT NULL,                   -- of the catalogue, or `ids`: whose values they are, from that minute on
  data BLOB NOT NULL,
  PRIMARY KEY (at, name)
);
