// Plans that grow: when all stages of a job have ended well and its plan is not complete, what comes
// next is decided from their metrics, in the transaction that ended the last of them.
import { CodedError, coerceError } from '@pare/errors'
import type { GrowPlan, JobPlan } from '@pare/recipe'

import { checkPlan } from './check-plan.js'
import { first, type Tx } from './db.js'
import { errors } from './errors.js'
import { type Job, JOB_COLUMNS } from './jobs.js'
import { toJson } from './json.js'
import { insertStage, type Stage } from './stages.js'

/** For callers whose plans are complete: a plan that is not cannot go on. */
export const growsNever: GrowPlan = () => {
  throw errors.plan_invalid('the plan is not complete, and nobody here can say how it goes on')
}

/** The plan as it goes on, or why it cannot: the job fails with that then. */
export function nextPlan(job: Job, stages: readonly Stage[], grow: GrowPlan): JobPlan | CodedError {
  try {
    const finished = stages.map(({ name, metrics }) => ({ name, metrics: metrics ?? {} }))
    const plan = grow(job.plan, finished)
    checkGrowth(job.plan, plan)
    return plan
  } catch (thrown) {
    if (thrown instanceof CodedError) return thrown
    return errors.plan_invalid(`the plan could not grow: ${coerceError(thrown).message}`)
  }
}

/** The job with the stages that follow; they are blocked, and the caller moves on. */
export async function growJob(tx: Tx, job: Job, plan: JobPlan): Promise<Job> {
  const grown = first(
    await tx.query<Job>(`UPDATE job SET plan = $2::jsonb WHERE id = $1 RETURNING ${JOB_COLUMNS}`, [
      job.id,
      toJson(plan),
    ]),
  )
  await insertStages(tx, grown, job.plan.stages.length)
  return grown
}

/** Writes the stages of the plan from this position on. */
export async function insertStages(tx: Tx, job: Job, from: number): Promise<void> {
  const { stages, engineVersion, seed } = job.plan
  for (const [at, plan] of stages.slice(from).entries()) {
    await insertStage(tx, {
      ...{ projectId: job.projectId, jobId: job.id, position: from + at, plan },
      ...{ engineVersion, seed, priority: job.priority },
    })
  }
}

function checkGrowth(before: JobPlan, after: JobPlan): void {
  checkPlan(after)
  if (after.stages.length === before.stages.length && !after.isComplete) {
    throw errors.plan_invalid('the plan is not complete and does not grow')
  }
}
