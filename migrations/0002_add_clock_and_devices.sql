-- The run clock of a job counts only while one of its stages runs; a stage names the device that it
-- runs on; workers announce what they have.

-- `run_ms` is what the clock has counted before `running_since`, which is null while no stage runs.
-- `run_deadline_at` now exists only while one does.
ALTER TABLE job
  ADD COLUMN run_ms bigint NOT NULL DEFAULT 0 CHECK (run_ms >= 0),
  ADD COLUMN running_since timestamptz(3);

UPDATE job SET run_ms = round(extract(epoch FROM finished_at - started_at) * 1000)
  WHERE started_at IS NOT NULL AND finished_at IS NOT NULL;
UPDATE job SET running_since = now(), run_deadline_at = now() + max_run_seconds * interval '1 second'
  WHERE EXISTS (SELECT FROM stage WHERE stage.job_id = job.id AND stage.state = 'running');
UPDATE job SET run_deadline_at = NULL WHERE running_since IS NULL;

CREATE INDEX job_between_stages ON job (id) WHERE state = 'running' AND running_since IS NULL;

ALTER TABLE stage
  ADD COLUMN device text NOT NULL DEFAULT 'cpu' CHECK (device IN ('cpu', 'cuda'));
CREATE INDEX stage_claimable ON stage (device) WHERE state = 'queued';

-- A worker that lives renews its row; one that was silent until `expires_at` has nothing any more.
CREATE TABLE worker_node (
  id text PRIMARY KEY,
  devices text[] NOT NULL CHECK (cardinality(devices) > 0),
  started_at timestamptz(3) NOT NULL DEFAULT now(),
  seen_at timestamptz(3) NOT NULL DEFAULT now(),
  expires_at timestamptz(3) NOT NULL
);
