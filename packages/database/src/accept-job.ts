import type { JobPlan } from '@pare/recipe'

import { advanceJob } from './advance-job.js'
import { canonicalJson } from './canonical-json.js'
import type { Tx } from './db.js'
import { errors } from './errors.js'
import { recordJobEvent } from './job-transitions.js'
import { getJobByClientId, insertJob, type Job, lockJob, type NewJob } from './jobs.js'
import type { Doorbell } from './plan.js'
import { insertStage } from './stages.js'
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
 * is there; with another request it throws `client_job_id_taken`.
 */
export async function acceptJob(tx: Tx, newJob: NewJob): Promise<AcceptedJob> {
  checkPlan(newJob.plan)
  const job = await insertJob(tx, newJob)
  if (job === null) return { job: await sameJob(tx, newJob), created: false, ready: [] }
  await recordJobEvent(tx, job, 'job.queued')
  for (const [position, plan] of job.plan.stages.entries()) {
    await insertStage(tx, {
      projectId: job.projectId,
      jobId: job.id,
      position,
      plan,
      engineVersion: job.plan.engineVersion,
      seed: job.plan.seed,
      priority: job.priority,
    })
  }
  const advanced = await advanceJob(tx, job)
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
 * Makes a new job with the plan of one that failed, expired or was canceled. Ended jobs never
 * change; what the old one finished comes from the cache.
 */
export async function retryJob(
  tx: Tx,
  { projectId, jobId }: { readonly projectId: string; readonly jobId: string },
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
  const { modelId, datasetIds, request, plan, labels, priority } = job
  const { maxQueueSeconds, maxRunSeconds } = job
  return acceptJob(tx, {
    ...{ projectId, modelId, datasetIds, request, plan, labels, priority },
    ...{ maxQueueSeconds, maxRunSeconds },
    parentJobId: job.id,
  })
}

/** The planner's promises that the state machine relies on. */
function checkPlan(plan: JobPlan): void {
  const seen = new Set<string>()
  for (const { name, inputs } of plan.stages) {
    if (new Set(inputs.map(({ role }) => role)).size < inputs.length) {
      throw errors.plan_invalid(`stage "${name}" has two inputs of one role`)
    }
    for (const { from } of inputs) {
      if ('stage' in from && !seen.has(from.stage)) {
        throw errors.plan_invalid(
          `stage "${name}" takes from "${from.stage}", which is not before it`,
        )
      }
    }
    if (seen.has(name)) throw errors.plan_invalid(`two stages are named "${name}"`)
    seen.add(name)
  }
  const unknown = plan.artifacts.find(({ stage }) => !seen.has(stage))
  if (unknown !== undefined) {
    throw errors.plan_invalid(`artifact "${unknown.name}" is taken from an unknown stage`)
  }
}
