-- Step 4: what removing old rows asks for: who depends on a task, and whose an artifact is.

CREATE INDEX dependencies_needed ON dependencies (depends_on);
CREATE INDEX artifacts_task ON artifacts (task_id);
