// Ends a job whose time is over: it waited for longer than max_queue_seconds, or its stages ran for
// longer than max_run_seconds.
import { firstOrNull, NOW, type Tx } from './db.js'
import { endJob } from './end-job.js'
import { errors } from './errors.js'
import { type Job, lockJob } from './jobs.js'

/**
 * Queued beyond its limit; running beyond it; or between two stages with nothing left to run in.
 * Three conditions, each with an index of its own.
 */
export const LATE_CONDITIONS = [
  `state = 'queued' AND queue_deadline_at <= ${NOW}`,
  `state IN ('running', 'finalizing', 'canceling') AND run_deadline_at <= ${NOW}`,
  `state = 'running' AND running_since IS NULL AND run_ms >= max_run_seconds * 1000`,
] as const

/** True when the job was late and has ended. */
export async function endIfLate(tx: Tx, id: string): Promise<boolean> {
  const job = await lockJob(tx, id)
  if (job === null || !(await isLate(tx, job))) return false
  if (job.state === 'canceling') {
    await endJob(tx, job, 'canceled')
  } else if (job.state === 'queued') {
    const error = errors.queue_deadline_passed(
      `the job was not started within its max_queue_seconds of ${job.maxQueueSeconds ?? 0}`,
    )
    await endJob(tx, job, 'expired', { error: error.toJSON() })
  } else {
    const error = errors.run_deadline_passed(
      `the job did not end within its max_run_seconds of ${job.maxRunSeconds ?? 0}`,
    )
    await endJob(tx, job, 'failed', { error: error.toJSON() })
  }
  return true
}

async function isLate(tx: Tx, job: Job): Promise<boolean> {
  const late = LATE_CONDITIONS.map((condition) => `(${condition})`).join(' OR ')
  const found = await tx.query(`SELECT 1 FROM job WHERE id = $1 AND (${late})`, [job.id])
  return firstOrNull(found) !== null
}
