// The event log of a job: gap-free numbers, written in the transaction of the change they tell of.
import type { JsonObject } from '@pare/recipe'

import { type Db, first, type Tx } from './db.js'
import { toJson } from './json.js'
import type { JobState } from './states.js'

export interface JobEvent {
  readonly jobId: string
  /** 1, 2, 3, … without a gap. */
  readonly seq: number
  readonly type: string
  readonly data: JsonObject
  readonly createdAt: Date
}

export const JOB_EVENT_TYPES = {
  queued: 'job.queued',
  running: 'job.started',
  finalizing: 'job.finalizing',
  canceling: 'job.canceling',
  succeeded: 'job.succeeded',
  failed: 'job.failed',
  canceled: 'job.canceled',
  expired: 'job.expired',
} as const satisfies Record<JobState, string>

/** The channel on which {job, seq} is told after commit, and {model} or {dataset} when it settles. */
export const EVENTS_CHANNEL = 'pare_events'
/** The channel on which {job, stage} is told when a running stage has to stop. */
export const CANCEL_CHANNEL = 'pare_cancel'

const COLUMNS = 'job_id AS "jobId", seq, type, data, created_at AS "createdAt"'

/** Appends an event; the caller holds the job's row lock or takes it here. */
export async function appendEvent(
  tx: Tx,
  event: { readonly jobId: string; readonly type: string; readonly data: JsonObject },
): Promise<JobEvent> {
  return first(
    await tx.query<JobEvent>(
      `WITH numbered AS (
         UPDATE job SET event_seq = event_seq + 1 WHERE id = $1 RETURNING id, event_seq
       ), appended AS (
         INSERT INTO event (job_id, seq, type, data, created_at)
         SELECT id, event_seq, $2, $3::jsonb, clock_timestamp() FROM numbered RETURNING *
       )
       SELECT ${COLUMNS},
         pg_notify('${EVENTS_CHANNEL}', json_build_object('job', job_id, 'seq', seq)::text)
       FROM appended`,
      [event.jobId, event.type, toJson(event.data)],
    ),
  )
}

/** Events after a sequence number, oldest first. */
export async function listEvents(
  db: Db,
  {
    jobId,
    afterSeq = 0,
    limit,
  }: {
    readonly jobId: string
    readonly afterSeq?: number
    readonly limit: number
  },
): Promise<readonly JobEvent[]> {
  const { rows } = await db.query<JobEvent>(
    `SELECT ${COLUMNS} FROM event WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
    [jobId, afterSeq, limit],
  )
  return rows
}

/** Tells listeners after commit. */
export async function notify(tx: Tx, channel: string, payload: JsonObject): Promise<void> {
  await tx.query('SELECT pg_notify($1, $2)', [channel, toJson(payload)])
}
