// The only place that changes a job's state: table, row, event and webhooks in one transaction.
import type { SerializedError } from '@pare/errors'
import type { JsonObject } from '@pare/recipe'

import type { Artifact } from './artifacts.js'
import { first, type Tx } from './db.js'
import { appendEvent, JOB_EVENT_TYPES, type JobEvent } from './events.js'
import { type Job, JOB_COLUMNS } from './jobs.js'
import { toJson } from './json.js'
import { assertJobTransition, type JobState } from './states.js'
import {
  insertWebhookMessage,
  MAX_WEBHOOK_BODY_BYTES,
  WEBHOOK_EVENT_TYPES,
} from './webhook-messages.js'

export interface JobChange {
  readonly error?: SerializedError
  readonly artifacts?: readonly Artifact[]
}

/** Moves a job whose row the caller has locked. */
export async function transitionJob(
  tx: Tx,
  job: Job,
  to: JobState,
  change: JobChange = {},
): Promise<Job> {
  assertJobTransition(job.id, job.state, to)
  const moved = first(
    await tx.query<Job>(
      `UPDATE job SET
         state = $2,
         error = coalesce($3::jsonb, error),
         started_at = CASE WHEN $2 = 'running' THEN clock_timestamp() ELSE started_at END,
         cancel_requested_at = CASE WHEN $2 IN ('canceling', 'canceled')
           THEN coalesce(cancel_requested_at, clock_timestamp()) ELSE cancel_requested_at END,
         finished_at = CASE WHEN $2 IN ('succeeded', 'failed', 'canceled', 'expired')
           THEN clock_timestamp() END
       WHERE id = $1 RETURNING ${JOB_COLUMNS}`,
      [job.id, to, toJson(change.error)],
    ),
  )
  const event = await recordJobEvent(tx, moved, JOB_EVENT_TYPES[to], change)
  return { ...moved, eventSeq: event.seq }
}

/** Appends a job event and, for the types that endpoints can ask for, its webhook message. */
export async function recordJobEvent(
  tx: Tx,
  job: Job,
  type: string,
  {
    artifacts = [],
    webhook = true,
  }: {
    readonly artifacts?: readonly Artifact[]
    readonly webhook?: boolean
  } = {},
): Promise<JobEvent> {
  const data = eventData(job, artifacts)
  const event = await appendEvent(tx, { jobId: job.id, type, data })
  if (webhook && (WEBHOOK_EVENT_TYPES as readonly string[]).includes(type)) {
    await insertWebhookMessage(tx, {
      projectId: job.projectId,
      jobId: job.id,
      type,
      data: webhookData(job, event, data),
      at: event.createdAt,
    })
  }
  return event
}

function eventData(job: Job, artifacts: readonly Artifact[]): JsonObject {
  return {
    state: job.state,
    ...(job.progress === null ? {} : { progress: { ...job.progress } }),
    ...(job.error === null ? {} : { error: brief(job.error) }),
    ...(artifacts.length === 0 ? {} : { artifacts: artifacts.map(artifactData) }),
  }
}

/** The parts of an error that fit anywhere; the job resource has the details. */
function brief(error: SerializedError): JsonObject {
  const { code, kind, fault, title } = error
  return { code, kind, fault, title, message: error.message.slice(0, 2000) }
}

function artifactData({ id, kind, name, sha256, sizeBytes }: Artifact): JsonObject {
  return { id, kind, name, sha256, size_bytes: sizeBytes }
}

/** A thin body: what changed and where to look. Labels and artifacts give way if it grows too big. */
function webhookData(job: Job, event: JobEvent, data: JsonObject): JsonObject {
  const core: JsonObject = {
    id: job.id,
    sequence: event.seq,
    client_job_id: job.clientJobId,
    parent_job_id: job.parentJobId,
    model: job.modelId,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
  }
  const full = { ...core, labels: { ...job.labels }, ...data }
  // Room for the envelope of type and timestamp.
  const limit = MAX_WEBHOOK_BODY_BYTES - 200
  if (Buffer.byteLength(JSON.stringify(full)) < limit) return full
  const rest = Object.fromEntries(Object.entries(data).filter(([name]) => name !== 'artifacts'))
  return { ...core, ...rest, truncated: true }
}
