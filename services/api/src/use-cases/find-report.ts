import {
  type Artifact,
  type Db,
  errors as databaseErrors,
  getJob,
  isTerminalJobState,
  listArtifacts,
} from '@pare/database'

import { errors } from '../errors.js'

/** The report in the form that is asked for: numbers, or a page for people. */
export const REPORT_NAMES = { json: 'report.json', html: 'report.html' } as const

export interface ReportRequest {
  readonly projectId: string
  readonly id: string
  readonly form: keyof typeof REPORT_NAMES
}

/** @throws job_not_found, report_not_ready, report_missing */
export async function findReport(
  db: Db,
  { projectId, id, form }: ReportRequest,
): Promise<Artifact> {
  const job = await getJob(db, { projectId, id })
  if (job === null) throw databaseErrors.job_not_found(`there is no job ${id.slice(0, 64)}`)
  const artifacts = await listArtifacts(db, id)
  const report = artifacts.find(
    ({ kind, name }) => kind === 'report' && name === REPORT_NAMES[form],
  )
  if (report !== undefined) return report
  if (!isTerminalJobState(job.state)) {
    throw errors.report_not_ready(`job ${id} is ${job.state}`, { details: { state: job.state } })
  }
  throw errors.report_missing(`job ${id} is ${job.state} and wrote no ${REPORT_NAMES[form]}`, {
    details: { state: job.state },
  })
}
