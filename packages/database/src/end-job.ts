// Ends a job before its last stage: what has not ended is canceled with it.
import { insertPlannedArtifacts } from './artifacts.js'
import type { Tx } from './db.js'
import { type JobChange, transitionJob } from './job-transitions.js'
import type { Job } from './jobs.js'
import { transitionStage } from './stage-transitions.js'
import { listStages } from './stages.js'
import { isTerminalStageState } from './states.js'

/** Cancels the unfinished stages (a running one is told to stop), then moves the job. */
export async function endJob(
  tx: Tx,
  job: Job,
  to: 'failed' | 'canceled' | 'expired',
  change: JobChange & { readonly keepArtifacts?: boolean } = {},
): Promise<Job> {
  for (const stage of await listStages(tx, job.id)) {
    if (!isTerminalStageState(stage.state)) await transitionStage(tx, stage, 'canceled')
  }
  const artifacts = change.keepArtifacts === true ? await insertPlannedArtifacts(tx, job) : []
  const error = change.error === undefined ? {} : { error: change.error }
  return transitionJob(tx, job, to, { ...error, artifacts })
}
