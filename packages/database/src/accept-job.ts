import type { GrowPlan } from '@pare/recipe'

import { advanceJob } from './advance-job.js'
import { canonicalJson } from './canonical-json.js'
import { checkPlan } from './check-plan.js'
import type { Tx } from './db.js'
import { errors } from './errors.js'
import { growsNever, insertStages } from './grow-job.js'
import { recordJobEvent } from './job-transitions.js'
import { getJobByClientId, insertJob, type Job, lockJob, type NewJob } from './jobs.js'
import type { Doorbell } from './plan.js'
import { isTerminalJobState } from './states.js'

export interface AcceptedJob {
  readonly job: Job
  /** False when the project had the same job under this client_job_id already. */
  readonly created: boolean
  /** Ring these after the commit. */
  readonly ready: readonly Doorbell[]
}

/**
 * Writes a job, its stages and its first events. Stages whose keys are known are done at once, so
 * a job may come back succeeded. The same client_job_id with the same request gives the job that
 * is there; with another request it throws `client_job_id_taken`. `grow` is asked when all stages are
 * known already and the plan goes on.
 */
export async function acceptJob(
  tx: Tx,
  newJob: NewJob,
  grow: GrowPlan = growsNever,
): Promise<AcceptedJob> {
  checkPlan(newJob.plan)
  const job = await insertJob(tx, newJob)
  if (job === null) return { job: await sameJob(tx, newJob), created: false, ready: [] }
  await recordJobEvent(tx, job, 'job.queued')
  await insertStages(tx, job, 0)
  const advanced = await advanceJob(tx, job, grow)
  const settled = (await lockJob(tx, job.id)) ?? advanced.job
  return { job: settled, created: true, ready: advanced.ready }
}

async function sameJob(tx: Tx, newJob: NewJob): Promise<Job> {
  const { projectId, clientJobId } = newJob
  if (clientJobId === undefined || clientJobId === null) {
    throw new Error('a job without client_job_id met a conflict')
  }
  const job = await getJobByClientId(tx, { projectId, clientJobId })
  if (canonicalJson(job.request) === canonicalJson(newJob.request)) return job
  throw errors.client_job_id_taken(
    `client_job_id ${clientJobId} belongs to job ${job.id}, whose request differs`,
    { details: { client_job_id: clientJobId, job_id: job.id } },
  )
}

/**
 * Makes a new job like one that failed, expired or was canceled. Its plan grows anew, and what the old
 * one finished comes from the cache; ended jobs never change. Without `grow` it has the old plan.
 */
export async function retryJob(
  tx: Tx,
  { projectId, jobId }: { readonly projectId: string; readonly jobId: string },
  grow?: GrowPlan,
): Promise<AcceptedJob> {
  const job = await lockJob(tx, jobId)
  if (job === null || job.projectId !== projectId) {
    throw errors.job_not_found(`there is no job ${jobId}`)
  }
  if (!isTerminalJobState(job.state) || job.state === 'succeeded') {
    throw errors.job_not_retryable(`job ${jobId} is ${job.state}`, {
      details: { id: jobId, state: job.state },
    })
  }
  const { modelId, datasetIds, request, labels, priority } = job
  const { maxQueueSeconds, maxRunSeconds } = job
  const plan = grow === undefined ? job.plan : grow({ ...job.plan, stages: [] }, [])
  const again = {
    ...{ projectId, modelId, datasetIds, request, plan, labels, priority },
    ...{ maxQueueSeconds, maxRunSeconds },
    parentJobId: job.id,
  }
  return acceptJob(tx, again, grow)
}
