// What the end of an inspect stage means for the model or dataset that it belongs to.
import type { SerializedError } from '@pare/errors'
import type { Json } from '@pare/recipe'

import type { Tx } from './db.js'
import { EVENTS_CHANNEL, notify } from './events.js'
import { toJson } from './json.js'
import type { StageOutput } from './plan.js'
import type { Stage } from './stages.js'

/** The output role under which an inspection delivers the normalised file. */
export const CANONICAL_ROLE = 'canonical'

/** Success: the upload is ready and its description is the stage's metrics. */
export async function settleInspection(tx: Tx, stage: Stage): Promise<void> {
  const canonical = stage.outputs?.[CANONICAL_ROLE]
  await settle(tx, stage, { state: 'ready', canonical, reasons: null })
}

/** Failure: the upload is rejected; the reasons are `details.reasons` or the error itself. */
export async function rejectInspected(tx: Tx, stage: Stage, error: SerializedError): Promise<void> {
  const { reasons } = error.details
  const list = Array.isArray(reasons) && reasons.length > 0 ? (reasons as Json[]) : null
  await settle(tx, stage, {
    state: 'rejected',
    canonical: undefined,
    reasons: list ?? [{ ...error } as unknown as Json],
  })
}

interface Settlement {
  readonly state: 'ready' | 'rejected'
  readonly canonical: StageOutput | undefined
  readonly reasons: readonly Json[] | null
}

/** An upload that was deleted meanwhile stays deleted. */
async function settle(tx: Tx, stage: Stage, settlement: Settlement): Promise<void> {
  const table = stage.modelId === null ? 'dataset' : 'model'
  const id = stage.modelId ?? stage.datasetId
  await tx.query(
    `UPDATE ${table} SET state = $2, settled_at = clock_timestamp(), description = $3::jsonb,
       canonical_sha256 = $4, canonical_size_bytes = $5, reasons = $6::jsonb
     WHERE id = $1 AND state = 'validating'`,
    [
      id,
      settlement.state,
      settlement.state === 'ready' ? toJson(stage.metrics) : null,
      settlement.canonical?.sha256 ?? null,
      settlement.canonical?.sizeBytes ?? null,
      toJson(settlement.reasons),
    ],
  )
  await notify(tx, EVENTS_CHANNEL, { [table]: id })
}
