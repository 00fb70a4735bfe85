// Progress of stages and jobs. Workers report as often as they like; the rows are always current,
// events are at most one in half a second and webhooks one in ten seconds.
import type { StageProgress } from '@pare/recipe'

import { first, type Tx } from './db.js'
import { type Heartbeat, LOST } from './heartbeat.js'
import { recordJobEvent } from './job-transitions.js'
import type { Job } from './jobs.js'
import { toJson } from './json.js'
import type { JobProgress } from './plan.js'
import { listStages, lockIfCurrent, type Stage, type StageClaim } from './stages.js'

export interface ProgressReport extends StageClaim {
  readonly progress: StageProgress
  /** Least time between two `job.progress` events of a job (default 500 ms). */
  readonly minEventIntervalMs?: number
  /** Least time between two `job.progress` webhooks of a job (default 10 s). */
  readonly minWebhookIntervalMs?: number
}

const DEFAULT_EVENT_INTERVAL_MS = 500
const DEFAULT_WEBHOOK_INTERVAL_MS = 10_000

/** Writes the progress of a running stage; a stale token writes nothing and is told so. */
export async function reportProgress(tx: Tx, report: ProgressReport): Promise<Heartbeat> {
  const locked = await lockIfCurrent(tx, report)
  if (locked === null) return LOST
  const { stage, job } = locked
  await tx.query('UPDATE stage SET progress = $2::jsonb WHERE id = $1', [
    stage.id,
    toJson(report.progress),
  ])
  if (job === null) return { isCurrent: true, isCancelRequested: false }
  await publish(tx, job, stage, report)
  return { isCurrent: true, isCancelRequested: job.state === 'canceling' }
}

/** A stage's success moves the job's progress too, however short the stage was. */
export async function noteStageDone(tx: Tx, job: Job, stage: Stage): Promise<void> {
  const progress = { done: 1, total: 1, unit: 'stage', ...stage.progress }
  const finished = { ...progress, done: progress.total }
  const report = { progress: finished, minEventIntervalMs: 0, minWebhookIntervalMs: 0 }
  await publish(tx, job, stage, report)
}

async function publish(
  tx: Tx,
  job: Job,
  stage: Stage,
  report: Omit<ProgressReport, keyof StageClaim>,
): Promise<void> {
  const fraction = await fractionOf(tx, job, stage, report.progress)
  const progress: JobProgress = { stage: stage.name, ...report.progress, fraction }
  const due = first(
    await tx.query<{ event: boolean; webhook: boolean }>(
      `UPDATE job SET progress = $2::jsonb WHERE id = $1 RETURNING
         coalesce(progress_event_at + $3::float8 * interval '1 ms' <= clock_timestamp(), true)
           AS event,
         coalesce(progress_webhook_at + $4::float8 * interval '1 ms' <= clock_timestamp(), true)
           AS webhook`,
      [
        job.id,
        toJson(progress),
        report.minEventIntervalMs ?? DEFAULT_EVENT_INTERVAL_MS,
        report.minWebhookIntervalMs ?? DEFAULT_WEBHOOK_INTERVAL_MS,
      ],
    ),
  )
  if (!due.event) return
  await recordJobEvent(tx, { ...job, progress }, 'job.progress', { webhook: due.webhook })
  await tx.query(
    `UPDATE job SET progress_event_at = clock_timestamp(),
       progress_webhook_at = CASE WHEN $2 THEN clock_timestamp() ELSE progress_webhook_at END
     WHERE id = $1`,
    [job.id, due.webhook],
  )
}

/**
 * Finished stages count one each, the running one what it has done; over all that are expected. It
 * never falls, though a stage that is run again begins anew.
 */
async function fractionOf(
  tx: Tx,
  job: Job,
  stage: Stage,
  { done, total }: StageProgress,
): Promise<number> {
  const stages = await listStages(tx, job.id)
  const others = stages.filter(({ id, state }) => id !== stage.id && state === 'succeeded').length
  const own = total > 0 ? Math.min(1, done / total) : 0
  const expected = Math.max(stages.length, job.plan.expectedStages)
  const fraction = Math.round(((others + own) / expected) * 1e4) / 1e4
  return Math.max(fraction, job.progress?.fraction ?? 0)
}
