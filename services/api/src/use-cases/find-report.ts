import {
  type Artifact,
  type Db,
  errors as databaseErrors,
  getJob,
  isTerminalJobState,
  listArtifacts,
} from '@pare/database'

import { errors } from '../errors.js'

/** @throws job_not_found, report_not_ready, report_missing */
export async function findReport(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<Artifact> {
  const job = await getJob(db, { projectId, id })
  if (job === null) throw databaseErrors.job_not_found(`there is no job ${id.slice(0, 64)}`)
  const artifacts = await listArtifacts(db, id)
  const report = artifacts.find(({ kind }) => kind === 'report')
  if (report !== undefined) return report
  if (!isTerminalJobState(job.state)) {
    throw errors.report_not_ready(`job ${id} is ${job.state}`, { details: { state: job.state } })
  }
  throw errors.report_missing(`job ${id} is ${job.state} and wrote no report`, {
    details: { state: job.state },
  })
}
