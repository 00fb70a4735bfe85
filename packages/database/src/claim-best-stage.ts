// Which stage a free worker gets. A doorbell only wakes; the database chooses:
//
//   1. inspections (short, and nothing can be asked of an upload before its own)
//   2. jobs by priority
//   3. of one priority, jobs that have begun: what is begun is finished before something else begins
//   4. of those, the oldest
//   5. of one job, in the order of its plan
//
// Every stage that becomes ready rings once and every ring is worth one choice, so as many are chosen
// as have rung, whichever they are.
import type { Device } from '@pare/recipe'

import { type ClaimOutcome, type ClaimRequest, claimStage, CPU } from './claim-stage.js'
import { type Db, firstOrNull, type Pool, withTransaction } from './db.js'

/** Losing a race for the best stage means that another worker got it: look again, so often. */
const MAX_LOOKS = 20

/**
 * Claims the best stage that can be claimed now with what the worker has. When there is none, the outcome tells of the stage
 * that rang (`stageId`).
 */
export async function claimBestStage(pool: Pool, request: ClaimRequest): Promise<ClaimOutcome> {
  for (let look = 0; look < MAX_LOOKS; look++) {
    const stageId = await findBestStage(pool, request.devices ?? CPU)
    if (stageId === null) break
    const outcome = await withTransaction(pool, (tx) => claimStage(tx, { ...request, stageId }))
    if (outcome.outcome === 'claimed' || outcome.outcome === 'cached') return outcome
  }
  return withTransaction(pool, (tx) => claimStage(tx, request))
}

/** Without a lock: the claim checks again under the locks of job and stage, in that order. */
async function findBestStage(db: Db, devices: readonly Device[]): Promise<string | null> {
  const found = await db.query<{ id: string }>({
    name: 'find_best_stage',
    text: `SELECT stage.id FROM stage LEFT JOIN job ON job.id = stage.job_id
      WHERE stage.state = 'queued' AND stage.device = ANY ($1)
        AND stage.available_at <= clock_timestamp()
        AND (job.id IS NULL OR job.state IN ('queued', 'running'))
        AND NOT EXISTS (SELECT FROM stage AS same WHERE same.project_id = stage.project_id
          AND same.key = stage.key AND same.state = 'running')
      ORDER BY job.id IS NOT NULL,
        array_position(ARRAY['high', 'normal', 'low'], stage.priority),
        job.started_at IS NULL,
        coalesce(job.created_at, stage.created_at), coalesce(job.id, stage.id),
        stage.position
      LIMIT 1`,
    values: [devices],
  })
  return firstOrNull(found)?.id ?? null
}
