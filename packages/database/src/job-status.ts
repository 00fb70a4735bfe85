// What a caller who polls needs, in one indexed query: the job without its plan, its stages in
// brief, and the figures of its report.
import type { JsonObject } from '@pare/recipe'

import { type Db, firstOrNull } from './db.js'
import { type Job, JOB_COLUMNS } from './jobs.js'
import type { StageState } from './states.js'
import { JOB_WAITING_FOR, STAGE_WAITING_FOR } from './worker-nodes.js'

export interface StageBrief {
  readonly name: string
  readonly kind: string
  readonly state: StageState
  readonly attempt: number
  readonly from_cache: boolean
  readonly waiting_for: string | null
}

export interface JobStatus extends Omit<Job, 'plan'> {
  /** In the order of the plan. */
  readonly stages: readonly StageBrief[]
  /** `cuda worker`: what it waits for when nobody is there who could run its next stage. */
  readonly waitingFor: string | null
  /** Metrics of the stage of kind `report`, once it has judged the result. */
  readonly headline: JsonObject | null
}

const STATUS_COLUMNS = `${JOB_COLUMNS.replace(/\s+plan,/, '')},
  (SELECT coalesce(json_agg(json_build_object('name', stage.name, 'kind', stage.kind,
     'state', stage.state, 'attempt', stage.attempt, 'from_cache', stage.from_cache,
     'waiting_for', ${STAGE_WAITING_FOR})
     ORDER BY stage.position), '[]')
   FROM stage WHERE stage.job_id = job.id) AS stages,
  ${JOB_WAITING_FOR} AS "waitingFor",
  (SELECT stage.metrics FROM stage
   WHERE stage.job_id = job.id AND stage.kind = 'report' AND stage.metrics IS NOT NULL
   LIMIT 1) AS headline`

/** The project's job; another project's id gives null. */
export async function getJobStatus(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<JobStatus | null> {
  return firstOrNull(
    await db.query<JobStatus>(
      // A name: PostgreSQL plans it once per connection.
      {
        name: 'get_job_status',
        text: `SELECT ${STATUS_COLUMNS} FROM job WHERE project_id = $1 AND id = $2`,
        values: [projectId, id],
      },
    ),
  )
}

/** The project's unfinished jobs that use a model or dataset: those keep it from being deleted. */
export async function listUnfinishedJobsUsing(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM job
     WHERE project_id = $1 AND state IN ('queued', 'running', 'finalizing', 'canceling')
       AND (model_id = $2 OR EXISTS (SELECT FROM jsonb_each_text(dataset_ids) WHERE value = $2))
     ORDER BY id LIMIT 10`,
    [projectId, id],
  )
  return rows.map((row) => row.id)
}
