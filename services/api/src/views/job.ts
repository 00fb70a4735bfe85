import type { Job as JobView } from '@pare/contracts'
import type { Job, JobStatus } from '@pare/database'
import type { JsonObject } from '@pare/recipe'

import { toProblem } from '../problem.js'

/** A row with or without what `getJobStatus` adds. */
export type JobRow = Omit<Job, 'plan'> &
  Partial<Pick<JobStatus, 'stages' | 'headline' | 'waitingFor'>>

export function viewJob(job: JobRow): JobView {
  return {
    id: job.id,
    state: job.state,
    model: job.modelId,
    datasets: job.datasetIds,
    ...viewRequest(job.request),
    labels: job.labels,
    priority: job.priority,
    client_job_id: job.clientJobId,
    parent_job: job.parentJobId,
    waiting_for: job.waitingFor ?? null,
    progress: job.progress,
    stages: [...(job.stages ?? [])],
    event_seq: job.eventSeq,
    timings: viewTimings(job),
    report: job.headline ?? null,
    error: job.error === null ? null : toProblem(job.error),
    created_at: job.createdAt.toISOString(),
    links: linksOf(job.id),
  }
}

/** The request was parsed and completed by `parseJobRequest` before it was stored. */
function viewRequest(request: JsonObject) {
  const part = (name: string) => (request[name] ?? {}) as JsonObject
  return {
    recipe: part('recipe'),
    evaluation: part('evaluation'),
    constraints: part('constraints'),
    target: part('target'),
    limits: part('limits'),
    seed: Number(request['seed'] ?? 0),
  }
}

function viewTimings(job: JobRow): JobView['timings'] {
  const { createdAt, startedAt } = job
  return {
    created_at: createdAt.toISOString(),
    started_at: timeOf(startedAt),
    finished_at: timeOf(job.finishedAt),
    queue_deadline_at: timeOf(job.queueDeadlineAt),
    run_deadline_at: timeOf(job.runDeadlineAt),
    queue_seconds: secondsBetween(createdAt, startedAt),
    run_seconds: job.runSeconds,
  }
}

function linksOf(id: string): JobView['links'] {
  const self = `/v1/jobs/${id}`
  return {
    self,
    events: `${self}/events`,
    stages: `${self}/stages`,
    artifacts: `${self}/artifacts`,
    report: `${self}/report`,
  }
}

export function timeOf(time: Date | null): string | null {
  return time === null ? null : time.toISOString()
}

export function secondsBetween(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : (to.getTime() - from.getTime()) / 1000
}
