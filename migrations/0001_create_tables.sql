-- The first schema: who asks (project, api_key), what was uploaded (model, dataset), what is to be
-- done (job, stage, stage_result), what came of it (artifact, event, usage), and whom to tell
-- (webhook_*). PostgreSQL is the truth about all of it; the queue only rings.
--
-- Times are timestamptz(3): a cursor carries a row's created_at through JavaScript, whose Date has
-- milliseconds; with microseconds in the table a page boundary would skip or repeat rows.

CREATE TABLE project (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz(3) NOT NULL DEFAULT now()
);

-- Only the SHA-256 of a key is stored; the prefix is what a person recognises it by.
CREATE TABLE api_key (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  name text NOT NULL,
  prefix text NOT NULL,
  hash text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$'),
  scopes text[] NOT NULL,
  expires_at timestamptz(3),
  last_used_at timestamptz(3),
  revoked_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX api_key_page ON api_key (project_id, created_at DESC, id DESC);

-- `options` are the caller's reading instructions (a dataset's labels array); the same bytes read
-- in another way are another upload, so they take part in the deduplication.
CREATE TABLE model (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  name text NOT NULL,
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
  media_type text NOT NULL,
  options jsonb NOT NULL DEFAULT '{}',
  state text NOT NULL DEFAULT 'validating'
    CHECK (state IN ('validating', 'ready', 'rejected', 'deleted')),
  canonical_sha256 text CHECK (canonical_sha256 ~ '^[0-9a-f]{64}$'),
  canonical_size_bytes bigint,
  description jsonb,
  reasons jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  settled_at timestamptz(3),
  deleted_at timestamptz(3),
  CHECK ((state = 'validating') <= (settled_at IS NULL)),
  CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX model_dedupe ON model (project_id, sha256, options)
  WHERE state IN ('validating', 'ready');
CREATE INDEX model_page ON model (project_id, created_at DESC, id DESC);

CREATE TABLE dataset (LIKE model INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE dataset ADD PRIMARY KEY (id);
ALTER TABLE dataset ADD FOREIGN KEY (project_id) REFERENCES project (id);
CREATE UNIQUE INDEX dataset_dedupe ON dataset (project_id, sha256, options)
  WHERE state IN ('validating', 'ready');
CREATE INDEX dataset_page ON dataset (project_id, created_at DESC, id DESC);

-- `event_seq` is the last sequence number given out: it is taken under the row lock of the job, so
-- numbers are gap-free and commit in order. A global sequence would let a reader skip an event.
CREATE TABLE job (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  client_job_id text,
  parent_job_id text REFERENCES job (id),
  model_id text NOT NULL REFERENCES model (id),
  dataset_ids jsonb NOT NULL DEFAULT '{}',
  state text NOT NULL DEFAULT 'queued' CHECK (state IN (
    'queued', 'running', 'finalizing', 'canceling', 'succeeded', 'failed', 'canceled', 'expired')),
  request jsonb NOT NULL,
  plan jsonb NOT NULL,
  labels jsonb NOT NULL DEFAULT '{}',
  priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high')),
  max_queue_seconds integer CHECK (max_queue_seconds > 0),
  max_run_seconds integer CHECK (max_run_seconds > 0),
  queue_deadline_at timestamptz(3),
  run_deadline_at timestamptz(3),
  progress jsonb,
  error jsonb,
  event_seq integer NOT NULL DEFAULT 0,
  progress_event_at timestamptz(3),
  progress_webhook_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  started_at timestamptz(3),
  cancel_requested_at timestamptz(3),
  finished_at timestamptz(3),
  CHECK ((state IN ('succeeded', 'failed', 'canceled', 'expired')) = (finished_at IS NOT NULL)),
  CHECK ((state = 'failed' OR state = 'expired') <= (error IS NOT NULL))
);
CREATE UNIQUE INDEX job_client_job_id ON job (project_id, client_job_id)
  WHERE client_job_id IS NOT NULL;
CREATE INDEX job_page ON job (project_id, created_at DESC, id DESC);
CREATE INDEX job_page_by_state ON job (project_id, state, created_at DESC, id DESC);
CREATE INDEX job_labels ON job USING gin (labels jsonb_path_ops);
CREATE INDEX job_queue_deadline ON job (queue_deadline_at) WHERE state = 'queued';
CREATE INDEX job_run_deadline ON job (run_deadline_at)
  WHERE state IN ('running', 'finalizing', 'canceling');

-- Fencing tokens: every claim takes the next one, so a later claim always holds a higher token.
CREATE SEQUENCE stage_token AS bigint;

-- A stage belongs to a job, or to the model or dataset that it inspects. `attempt` counts claims;
-- `faults` counts the attempts lost to infrastructure, which is what the retry budget limits.
CREATE TABLE stage (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  job_id text REFERENCES job (id),
  model_id text REFERENCES model (id),
  dataset_id text REFERENCES dataset (id),
  position integer NOT NULL DEFAULT 0,
  name text NOT NULL,
  kind text NOT NULL,
  params jsonb NOT NULL,
  inputs jsonb NOT NULL,
  resolved_inputs jsonb,
  engine_version text NOT NULL,
  seed bigint NOT NULL DEFAULT 0,
  key text CHECK (key ~ '^[0-9a-f]{64}$'),
  priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high')),
  state text NOT NULL DEFAULT 'blocked' CHECK (state IN (
    'blocked', 'queued', 'running', 'succeeded', 'failed', 'canceled')),
  attempt integer NOT NULL DEFAULT 0,
  faults integer NOT NULL DEFAULT 0,
  token bigint,
  worker text,
  lease_expires_at timestamptz(3),
  heartbeat_at timestamptz(3),
  available_at timestamptz(3),
  rung_at timestamptz(3),
  from_cache boolean NOT NULL DEFAULT false,
  progress jsonb,
  metrics jsonb,
  outputs jsonb,
  error jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  queued_at timestamptz(3),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  UNIQUE (job_id, name),
  CHECK (num_nonnulls(job_id, model_id, dataset_id) = 1),
  CHECK (state IN ('blocked', 'canceled') OR key IS NOT NULL),
  CHECK ((state = 'running') = (token IS NOT NULL)),
  CHECK ((state = 'running') = (lease_expires_at IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'canceled')) = (finished_at IS NOT NULL)),
  CHECK ((state = 'succeeded') <= (outputs IS NOT NULL))
);
CREATE INDEX stage_of_model ON stage (model_id) WHERE model_id IS NOT NULL;
CREATE INDEX stage_of_dataset ON stage (dataset_id) WHERE dataset_id IS NOT NULL;
CREATE INDEX stage_waiting ON stage (rung_at) WHERE state = 'queued';
CREATE INDEX stage_leased ON stage (lease_expires_at) WHERE state = 'running';
CREATE INDEX stage_same_key ON stage (project_id, key) WHERE state IN ('queued', 'running');

-- What a finished key gave. Inside a project a key is computed once.
CREATE TABLE stage_result (
  project_id text NOT NULL REFERENCES project (id),
  key text NOT NULL CHECK (key ~ '^[0-9a-f]{64}$'),
  kind text NOT NULL,
  outputs jsonb NOT NULL,
  metrics jsonb NOT NULL,
  stage_id text NOT NULL REFERENCES stage (id),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project_id, key)
);

CREATE TABLE artifact (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  job_id text NOT NULL REFERENCES job (id),
  stage_id text NOT NULL REFERENCES stage (id),
  position integer NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
  media_type text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  UNIQUE (job_id, name)
);

CREATE TABLE event (
  job_id text NOT NULL REFERENCES job (id),
  seq integer NOT NULL CHECK (seq > 0),
  type text NOT NULL,
  data jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (job_id, seq)
);

-- One row per key and scope; `holder` fences a request that lost its lease to a later one.
CREATE TABLE idempotency (
  scope text NOT NULL,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  fingerprint text NOT NULL,
  state text NOT NULL DEFAULT 'in_progress' CHECK (state IN ('in_progress', 'done')),
  holder text NOT NULL,
  locked_until timestamptz(3) NOT NULL,
  response jsonb,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  expires_at timestamptz(3) NOT NULL,
  PRIMARY KEY (scope, key),
  CHECK ((state = 'done') = (response IS NOT NULL))
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- `secrets` is a list of {secret, expires_at}: during a rotation the old one still signs.
-- An empty `events` list means every type.
CREATE TABLE webhook_endpoint (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  url text NOT NULL,
  description text NOT NULL DEFAULT '',
  events text[] NOT NULL DEFAULT '{}',
  secrets jsonb NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  disabled_reason text,
  consecutive_failures integer NOT NULL DEFAULT 0,
  failing_since timestamptz(3),
  last_success_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoint_page ON webhook_endpoint (project_id, created_at DESC, id DESC);

-- The bytes are made once and signed again for every attempt.
CREATE TABLE webhook_message (
  id text PRIMARY KEY CHECK (id !~ '\.'),
  project_id text NOT NULL REFERENCES project (id),
  job_id text REFERENCES job (id),
  type text NOT NULL,
  body bytea NOT NULL CHECK (octet_length(body) < 20480),
  created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX webhook_message_of_job ON webhook_message (job_id);

CREATE TABLE webhook_delivery (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project (id),
  message_id text NOT NULL REFERENCES webhook_message (id),
  endpoint_id text NOT NULL REFERENCES webhook_endpoint (id) ON DELETE CASCADE,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'succeeded', 'failed')),
  attempts integer NOT NULL DEFAULT 0,
  -- Attempts since the first send or the last replay: the retry schedule starts again on a replay.
  schedule_step integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz(3) DEFAULT now(),
  lease_token bigint,
  lease_expires_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  finished_at timestamptz(3),
  UNIQUE (message_id, endpoint_id),
  CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
  CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_page ON webhook_delivery (project_id, created_at DESC, id DESC);
CREATE INDEX webhook_delivery_of_endpoint ON webhook_delivery (endpoint_id, state);

CREATE TABLE webhook_attempt (
  delivery_id text NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
  number integer NOT NULL CHECK (number > 0),
  started_at timestamptz(3) NOT NULL,
  duration_ms integer NOT NULL CHECK (duration_ms >= 0),
  status integer,
  error text,
  response_snippet text CHECK (length(response_snippet) <= 1024),
  ip text,
  PRIMARY KEY (delivery_id, number)
);

-- Append-only: one row per stage and attempt, whatever became of the attempt.
CREATE TABLE usage (
  stage_id text NOT NULL REFERENCES stage (id),
  attempt integer NOT NULL CHECK (attempt > 0),
  project_id text NOT NULL REFERENCES project (id),
  job_id text REFERENCES job (id),
  kind text NOT NULL,
  worker text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('succeeded', 'failed', 'canceled', 'released', 'lost')),
  started_at timestamptz(3) NOT NULL,
  finished_at timestamptz(3) NOT NULL,
  PRIMARY KEY (stage_id, attempt)
);
CREATE INDEX usage_of_project ON usage (project_id, finished_at);
