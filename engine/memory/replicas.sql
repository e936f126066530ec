-- Step 7: what two engines need to exchange entries: what changed since a record, and the versions that lost against others.
--
-- `changed` is the record that last changed what this engine holds of an entry: the entry itself or its conflicts.

ALTER TABLE memory ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
UPDATE memory SET changed = last_record;
CREATE INDEX memory_changed ON memory (changed);

ALTER TABLE conflicts ADD COLUMN life TEXT NOT NULL DEFAULT '';   -- with `number` what names a version for all engines
ALTER TABLE conflicts ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conflicts ADD COLUMN artifact TEXT;                   -- where a large value is
ALTER TABLE conflicts ADD COLUMN embedding BLOB;
ALTER TABLE conflicts ADD COLUMN record INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conflicts ADD COLUMN head JSON NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX conflicts_dots ON conflicts (namespace, owner_id, key, life, number)
