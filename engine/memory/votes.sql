-- Step 8: what was voted on, by whom and how; a row for each ballot, an operator's without an agent.

ALTER TABLE consensus ADD COLUMN proposal TEXT NOT NULL DEFAULT '';
ALTER TABLE consensus ADD COLUMN voter TEXT NOT NULL DEFAULT '';
ALTER TABLE consensus ADD COLUMN choice TEXT NOT NULL DEFAULT '';  -- approve, reject, abstain
ALTER TABLE consensus ADD COLUMN number INTEGER NOT NULL DEFAULT 1;  -- counts the voter's ballots of the proposal
CREATE INDEX consensus_timestamp ON consensus (timestamp);
