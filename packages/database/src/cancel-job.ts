import type { Tx } from './db.js'
import { endJob } from './end-job.js'
import { hasRunningStage } from './end-stage.js'
import { errors } from './errors.js'
import { CANCEL_CHANNEL, notify } from './events.js'
import { transitionJob } from './job-transitions.js'
import { type Job, lockJob } from './jobs.js'
import { listStages } from './stages.js'
import { isTerminalJobState } from './states.js'

/**
 * Cancels a job: at once when no stage is running; otherwise it is `canceling` until the workers,
 * told on `pare_cancel`, have stopped their engines. Asking twice is allowed while it is canceling.
 */
export async function cancelJob(
  tx: Tx,
  { projectId, jobId }: { readonly projectId: string; readonly jobId: string },
): Promise<Job> {
  const job = await lockJob(tx, jobId)
  if (job === null || job.projectId !== projectId) {
    throw errors.job_not_found(`there is no job ${jobId}`)
  }
  if (isTerminalJobState(job.state)) {
    throw errors.job_not_cancelable(`job ${jobId} is ${job.state} already`, {
      details: { id: jobId, state: job.state },
    })
  }
  if (job.state === 'canceling') return job
  if (job.state === 'queued') return endJob(tx, job, 'canceled')
  const canceling = await transitionJob(tx, job, 'canceling')
  if (!(await hasRunningStage(tx, job))) return endJob(tx, canceling, 'canceled')
  for (const { id, state } of await listStages(tx, job.id)) {
    if (state === 'running') await notify(tx, CANCEL_CHANNEL, { job: job.id, stage: id })
  }
  return canceling
}
