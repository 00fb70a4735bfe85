// The usage ledger: one row per stage and attempt, written when the attempt ends.
import type { Db, Tx } from './db.js'
import type { Stage } from './stages.js'

export type UsageOutcome = 'succeeded' | 'failed' | 'canceled' | 'released' | 'lost'

export interface UsageRow {
  readonly stageId: string
  readonly attempt: number
  readonly projectId: string
  readonly jobId: string | null
  readonly kind: string
  readonly worker: string
  readonly outcome: UsageOutcome
  readonly startedAt: Date
  readonly finishedAt: Date
}

/** Books the attempt that the stage is in; the primary key makes a second booking fail. */
export async function insertUsage(tx: Tx, stage: Stage, outcome: UsageOutcome): Promise<void> {
  await tx.query(
    `INSERT INTO usage (stage_id, attempt, project_id, job_id, kind, worker, outcome, started_at,
       finished_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())`,
    [
      stage.id,
      stage.attempt,
      stage.projectId,
      stage.jobId,
      stage.kind,
      stage.worker,
      outcome,
      stage.startedAt,
    ],
  )
}

export async function listUsageOfJob(db: Db, jobId: string): Promise<readonly UsageRow[]> {
  const { rows } = await db.query<UsageRow>(
    `SELECT stage_id AS "stageId", attempt, project_id AS "projectId", job_id AS "jobId", kind,
       worker, outcome, started_at AS "startedAt", finished_at AS "finishedAt"
     FROM usage WHERE job_id = $1 ORDER BY started_at, stage_id, attempt`,
    [jobId],
  )
  return rows
}
