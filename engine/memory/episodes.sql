-- Step 5: episodes by age, for what becomes summaries.
CREATE INDEX memory_episodes ON memory (created_at) WHERE kind = 'episodic' AND deleted = 0
