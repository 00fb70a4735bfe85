// Workers say in the database that they are there and which devices they have. Nothing that must not
// be lost hangs on it: it tells a caller what a job waits for.
import type { Device } from '@pare/recipe'

import { type Db, NOW } from './db.js'

export interface WorkerNode {
  readonly id: string
  readonly devices: readonly Device[]
}

/** Notes or renews the worker; it counts as there for `forMs` from now. */
export async function announceWorker(
  db: Db,
  { id, devices, forMs }: WorkerNode & { readonly forMs: number },
): Promise<void> {
  await db.query(
    `INSERT INTO worker_node (id, devices, expires_at)
     VALUES ($1, $2, clock_timestamp() + $3::float8 * interval '1 ms')
     ON CONFLICT (id) DO UPDATE SET devices = excluded.devices, seen_at = clock_timestamp(),
       expires_at = excluded.expires_at`,
    [id, devices, forMs],
  )
}

/** The worker stops in good order. */
export async function dismissWorker(db: Db, id: string): Promise<void> {
  await db.query('DELETE FROM worker_node WHERE id = $1', [id])
}

/** Forgets the workers that went without a word. */
export async function forgetSilentWorkers(db: Db): Promise<void> {
  await db.query(`DELETE FROM worker_node WHERE expires_at <= ${NOW}`)
}

/** SQL: `cuda worker` for a row of `stage` that is queued while no worker is known that has its device. */
export const STAGE_WAITING_FOR = `CASE WHEN stage.state = 'queued' AND NOT EXISTS (
    SELECT FROM worker_node
    WHERE stage.device = ANY (worker_node.devices) AND worker_node.expires_at > clock_timestamp())
  THEN stage.device || ' worker' END`

/** SQL: what the first of the job's stages waits for, for a row of `job` that is to go on. */
export const JOB_WAITING_FOR = `CASE WHEN job.state IN ('queued', 'running') THEN (
    SELECT waiting.for FROM (SELECT stage.position, ${STAGE_WAITING_FOR} AS for
      FROM stage WHERE stage.job_id = job.id AND stage.state = 'queued') AS waiting
    WHERE waiting.for IS NOT NULL ORDER BY waiting.position LIMIT 1) END`
