// The cache of finished keys, one per project: a result never leaves the project that paid for it.
import type { JsonObject } from '@pare/recipe'

import { type Db, firstOrNull, type Tx } from './db.js'
import { toJson } from './json.js'
import type { StageOutputs } from './plan.js'

export interface StageResult {
  readonly outputs: StageOutputs
  readonly metrics: JsonObject
}

export async function findStageResult(
  db: Db,
  { projectId, key }: { readonly projectId: string; readonly key: string },
): Promise<StageResult | null> {
  return firstOrNull(
    await db.query<StageResult>(
      'SELECT outputs, metrics FROM stage_result WHERE project_id = $1 AND key = $2',
      [projectId, key],
    ),
  )
}

/** Keeps the first result of a key: a stage is pure, so a second one is equal in meaning. */
export async function insertStageResult(
  tx: Tx,
  result: StageResult & {
    readonly projectId: string
    readonly key: string
    readonly kind: string
    readonly stageId: string
  },
): Promise<void> {
  await tx.query(
    `INSERT INTO stage_result (project_id, key, kind, outputs, metrics, stage_id)
     VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6) ON CONFLICT DO NOTHING`,
    [
      result.projectId,
      result.key,
      result.kind,
      toJson(result.outputs),
      toJson(result.metrics),
      result.stageId,
    ],
  )
}
