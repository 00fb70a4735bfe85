import { growPlan } from '@pare/compression'
import type { Job as JobView, JobPreview } from '@pare/contracts'
import {
  type AcceptedJob,
  acceptJob,
  type Db,
  errors as databaseErrors,
  getJobStatus,
  type Tx,
} from '@pare/database'
import type { JsonObject } from '@pare/recipe'

import type { Outcome } from '../mutation.js'
import { viewJob } from '../views/job.js'
import { type PlannedRequest, planRequest } from './plan-request.js'

export interface JobSubmission {
  readonly projectId: string
  readonly body: unknown
  /** The job that this one was cloned from. */
  readonly parentJobId?: string
}

/** Checks, plans and accepts a job. The same client_job_id and request give the job that is there. */
export async function submitJob(tx: Tx, submission: JobSubmission): Promise<Outcome<JobView>> {
  const { projectId, body, parentJobId = null } = submission
  const { request, plan, clientJobId } = await planRequest(tx, projectId, body)
  const job = {
    projectId,
    modelId: request.model,
    datasetIds: request.datasets,
    request,
    plan,
    labels: request.labels,
    priority: request.priority,
    maxQueueSeconds: request.limits.max_queue_seconds,
    maxRunSeconds: request.limits.max_run_seconds,
    clientJobId,
    parentJobId,
  }
  return acceptedOutcome(tx, await acceptJob(tx, job, growPlan))
}

export async function acceptedOutcome(
  tx: Tx,
  { job, created, ready }: AcceptedJob,
): Promise<Outcome<JobView>> {
  const body = await viewJobById(tx, job)
  return { status: created ? 201 : 200, body, location: body.links.self, ring: ready }
}

/** Everything that submitting would check, and nothing written. */
export async function previewJob(db: Db, { projectId, body }: JobSubmission): Promise<JobPreview> {
  const { request, plan } = await planRequest(db, projectId, body)
  return viewPreview(request, plan)
}

function viewPreview(request: JsonObject, plan: PlannedRequest['plan']): JobPreview {
  return {
    valid: true,
    request,
    stages: plan.stages.map(({ name, kind }) => ({ name, kind })),
    expected_stages: plan.expectedStages,
    artifacts: plan.artifacts.map(({ name, kind }) => ({ name, kind })),
    engine_version: plan.engineVersion,
  }
}

/** @throws job_not_found, for another project's id too */
export async function viewJobById(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<JobView> {
  const job = await getJobStatus(db, { projectId, id })
  if (job === null) throw databaseErrors.job_not_found(`there is no job ${id.slice(0, 64)}`)
  return viewJob(job)
}
