-- Step 3: memory entries as the store keeps them.
--
-- `head` is all of an entry but its value (engine.model.memory.Head); the store loads from it, and what other columns
-- repeat of it is for queries and for people. A value that is one bare number is a blob: text would become a number
-- (see schema.sql) and lose digits.

ALTER TABLE memory ADD COLUMN kind TEXT NOT NULL DEFAULT 'semantic';
ALTER TABLE memory ADD COLUMN team TEXT NOT NULL DEFAULT '';      -- the owner's pool when it was stored
ALTER TABLE memory ADD COLUMN swarm TEXT NOT NULL DEFAULT '';
ALTER TABLE memory ADD COLUMN writer TEXT NOT NULL DEFAULT '';    -- who wrote this version
ALTER TABLE memory ADD COLUMN size INTEGER NOT NULL DEFAULT 0;    -- bytes of the value's JSON
ALTER TABLE memory ADD COLUMN artifact TEXT;                      -- where a large value is
ALTER TABLE memory ADD COLUMN embedding BLOB;                     -- little-endian float32
ALTER TABLE memory ADD COLUMN embedder TEXT NOT NULL DEFAULT '';
ALTER TABLE memory ADD COLUMN last_record INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memory ADD COLUMN head JSON NOT NULL DEFAULT '{}';

UPDATE memory SET
  size = length(CAST(value AS BLOB)),
  -- A column of type JSON made numbers of them; as text they are JSON again.
  value = iif(typeof(value) IN ('integer', 'real'), CAST(CAST(value AS TEXT) AS BLOB), value);
UPDATE memory SET head = json_object(
  'id', json_array(namespace, owner_id, key),
  'permissions', json_object(
    'level', coalesce(acl_level, 'private'),
    'read', json((SELECT json_group_array(agent_id) FROM permissions AS p WHERE p.namespace = memory.namespace
      AND p.owner_id = memory.owner_id AND p.key = memory.key AND action = 'read')),
    'write', json((SELECT json_group_array(agent_id) FROM permissions AS p WHERE p.namespace = memory.namespace
      AND p.owner_id = memory.owner_id AND p.key = memory.key AND action = 'write')),
    'delete', json((SELECT json_group_array(agent_id) FROM permissions AS p WHERE p.namespace = memory.namespace
      AND p.owner_id = memory.owner_id AND p.key = memory.key AND action = 'delete'))),
  'version', version, 'created_at', created_at, 'updated_at', updated_at,
  'ttl_s', ttl, 'expires_at', expires_at, 'is_deleted', json(iif(deleted, 'true', 'false')), 'size', size);

CREATE INDEX memory_keys ON memory (key, namespace);
CREATE INDEX memory_expiring ON memory (expires_at) WHERE expires_at IS NOT NULL AND deleted = 0;
CREATE INDEX memory_deleted ON memory (updated_at) WHERE deleted = 1
