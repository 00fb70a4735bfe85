// The lease of a running stage. While its holder beats, no one else can have the stage.
import { type Db, firstOrNull } from './db.js'
import type { StageClaim } from './stages.js'

export interface Heartbeat {
  /** False: another attempt has the stage, or it ended. Stop and drop the result. */
  readonly isCurrent: boolean
  /** True: stop, then `confirmCanceled`. */
  readonly isCancelRequested: boolean
}

export const LOST: Heartbeat = { isCurrent: false, isCancelRequested: false }

/** Extends the lease of the current holder. */
export async function heartbeatStage(
  db: Db,
  { stageId, token, leaseMs }: StageClaim & { readonly leaseMs: number },
): Promise<Heartbeat> {
  const beat = firstOrNull(
    await db.query<{ isCancelRequested: boolean }>(
      `UPDATE stage SET heartbeat_at = clock_timestamp(),
         lease_expires_at = clock_timestamp() + $3::float8 * interval '1 ms'
       WHERE id = $1 AND state = 'running' AND token = $2
       RETURNING coalesce((SELECT job.state = 'canceling' FROM job WHERE job.id = stage.job_id), false)
         AS "isCancelRequested"`,
      [stageId, token, leaseMs],
    ),
  )
  return beat === null ? LOST : { isCurrent: true, ...beat }
}

/** The same question without extending the lease: asked when `pare_cancel` names the stage. */
export async function checkStage(db: Db, { stageId, token }: StageClaim): Promise<Heartbeat> {
  const row = firstOrNull(
    await db.query<{ isCancelRequested: boolean }>(
      `SELECT coalesce(job.state = 'canceling', false) AS "isCancelRequested"
       FROM stage LEFT JOIN job ON job.id = stage.job_id
       WHERE stage.id = $1 AND stage.state = 'running' AND stage.token = $2`,
      [stageId, token],
    ),
  )
  return row === null ? LOST : { isCurrent: true, ...row }
}
