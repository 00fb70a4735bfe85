import type { Job as JobView } from '@pare/contracts'
import { errors as databaseErrors, getJob, type Tx } from '@pare/database'

import type { Outcome } from '../mutation.js'
import { submitJob } from './submit-job.js'

export interface CloneRequest {
  readonly projectId: string
  readonly id: string
  /** Top-level members that replace those of the original request. */
  readonly overrides: Readonly<Record<string, unknown>>
}

/** A new job like another one, in whatever state that is; its client_job_id is not inherited. */
export async function cloneJob(
  tx: Tx,
  { projectId, id, overrides }: CloneRequest,
): Promise<Outcome<JobView>> {
  const original = await getJob(tx, { projectId, id })
  if (original === null) throw databaseErrors.job_not_found(`there is no job ${id.slice(0, 64)}`)
  const body = { ...original.request, ...overrides }
  return submitJob(tx, { projectId, body, parentJobId: original.id })
}
