// What nobody else would notice: doorbells that were lost, workers that died, deadlines that
// passed. Every process may run it at any time; each change is made under the same locks and
// conditions as elsewhere.
import { type Db, NOW, type Pool, type Tx, withTransaction } from './db.js'
import { endIfLate, LATE_CONDITIONS } from './deadlines.js'
import { loseStage } from './end-stage.js'
import { errors } from './errors.js'
import type { Doorbell } from './plan.js'
import { doorbellOf, lockStage, type Stage, STAGE_COLUMNS } from './stages.js'
import { forgetSilentWorkers } from './worker-nodes.js'

export interface ReconcileOptions {
  /** A queued stage is rung again after this long without an answer (default 15 s). */
  readonly ringAgainMs?: number
  /** At most this many of each kind in one call (default 100). */
  readonly limit?: number
}

export interface Reconciled {
  /** Ring these now. */
  readonly ready: readonly Doorbell[]
  /** Attempts whose worker had died. */
  readonly lostStages: number
  /** Jobs ended by a deadline. */
  readonly endedJobs: number
}

const DEFAULT_RING_AGAIN_MS = 15_000
const DEFAULT_LIMIT = 100

export async function reconcile(pool: Pool, options: ReconcileOptions = {}): Promise<Reconciled> {
  const { ringAgainMs = DEFAULT_RING_AGAIN_MS, limit = DEFAULT_LIMIT } = options
  // In this order: the clock of a job whose worker died stops where the lease ended.
  const lost = await loseDeadStages(pool, limit)
  const endedJobs = await endLateJobs(pool, limit)
  await forgetSilentWorkers(pool)
  const waiting = await ringWaitingStages(pool, { ringAgainMs, limit })
  return { ready: [...lost.ready, ...waiting], lostStages: lost.count, endedJobs }
}

async function endLateJobs(pool: Pool, limit: number): Promise<number> {
  const selects = LATE_CONDITIONS.map((late) => `(SELECT id FROM job WHERE ${late} LIMIT $1)`)
  const { rows } = await pool.query<{ id: string }>(selects.join(' UNION ALL '), [limit])
  let ended = 0
  for (const { id } of rows) {
    if (await withTransaction(pool, (tx) => endIfLate(tx, id))) ended++
  }
  return ended
}

async function loseDeadStages(
  pool: Pool,
  limit: number,
): Promise<{ readonly count: number; readonly ready: readonly Doorbell[] }> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM stage WHERE state = 'running' AND lease_expires_at <= ${NOW}
     ORDER BY lease_expires_at LIMIT $1`,
    [limit],
  )
  const ready: Doorbell[] = []
  let count = 0
  for (const { id } of rows) {
    const ends = await withTransaction(pool, (tx) => loseIfDead(tx, id))
    if (ends === null) continue
    count++
    ready.push(...ends)
  }
  return { count, ready }
}

async function loseIfDead(tx: Tx, id: string): Promise<readonly Doorbell[] | null> {
  const locked = await lockStage(tx, id)
  if (locked === null || locked.stage.state !== 'running') return null
  const alive = await tx.query(`SELECT 1 FROM stage WHERE id = $1 AND lease_expires_at > ${NOW}`, [
    id,
  ])
  if (alive.rows.length > 0) return null
  const { worker, attempt } = locked.stage
  const error = errors.worker_lost(
    `worker ${worker ?? '?'} did not answer during attempt ${attempt}`,
    { details: { stage: locked.stage.name, attempt } },
  )
  return (await loseStage(tx, locked, error.toJSON())).ready
}

/** Notes the ring with the same statement, so that two reconcilers do not ring twice. */
async function ringWaitingStages(
  db: Db,
  { ringAgainMs, limit }: { readonly ringAgainMs: number; readonly limit: number },
): Promise<readonly Doorbell[]> {
  const { rows } = await db.query<Stage>(
    `UPDATE stage SET rung_at = clock_timestamp() WHERE id IN (
       SELECT id FROM stage
       WHERE state = 'queued' AND rung_at <= clock_timestamp() - $1::float8 * interval '1 ms'
       ORDER BY rung_at LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING ${STAGE_COLUMNS}`,
    [ringAgainMs, limit],
  )
  return rows.map((stage) => doorbellOf(stage))
}
