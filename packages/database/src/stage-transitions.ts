// The only place that changes a stage's state: table, row, event and usage in one transaction.
import type { SerializedError } from '@pare/errors'
import type { JsonObject } from '@pare/recipe'

import { first, type Tx } from './db.js'
import { appendEvent, CANCEL_CHANNEL, notify } from './events.js'
import { toJson } from './json.js'
import type { ResolvedInput, StageOutputs } from './plan.js'
import { updateRunClock } from './run-clock.js'
import { type Stage, STAGE_COLUMNS } from './stages.js'
import { assertStageTransition, type StageState } from './states.js'
import { insertUsage, type UsageOutcome } from './usage.js'

export interface StageChange {
  readonly resolvedInputs?: readonly ResolvedInput[]
  readonly key?: string
  readonly outputs?: StageOutputs
  readonly metrics?: JsonObject
  readonly error?: SerializedError
  readonly fromCache?: boolean
  /** running → queued: how long until the next claim. */
  readonly delayMs?: number
  /** running → queued: counts against the retry budget. */
  readonly isFault?: boolean
  /** queued → running */
  readonly claim?: { readonly worker: string; readonly leaseMs: number }
  /** From running: what the ledger says (default: the new state's name). */
  readonly outcome?: UsageOutcome
}

/** Moves a stage whose row (and whose job's row) the caller has locked. */
export async function transitionStage(
  tx: Tx,
  stage: Stage,
  to: StageState,
  change: StageChange = {},
): Promise<Stage> {
  assertStageTransition(stage.id, stage.state, to)
  if (stage.state === 'running') {
    await insertUsage(tx, stage, change.outcome ?? outcomeOf(to))
    if (to === 'canceled') {
      await notify(tx, CANCEL_CHANNEL, { job: stage.jobId, stage: stage.id })
    }
  }
  const moved = await updateStage(tx, stage, to, change)
  if (moved.jobId !== null) {
    if (stage.state === 'running' || to === 'running') {
      const silentSince = change.outcome === 'lost' ? stage.leaseExpiresAt : null
      await updateRunClock(tx, { jobId: moved.jobId, silentSince })
    }
    const type = to === 'running' ? 'stage.started' : `stage.${to}`
    await appendEvent(tx, { jobId: moved.jobId, type, data: eventData(moved) })
  }
  return moved
}

function outcomeOf(to: StageState): UsageOutcome {
  return to === 'succeeded' || to === 'failed' || to === 'canceled' ? to : 'released'
}

async function updateStage(
  tx: Tx,
  stage: Stage,
  to: StageState,
  change: StageChange,
): Promise<Stage> {
  const updated = await tx.query<Stage>(
    `UPDATE stage SET
       state = $2,
       resolved_inputs = coalesce($3::jsonb, resolved_inputs),
       key = coalesce($4, key),
       outputs = coalesce($5::jsonb, outputs),
       metrics = coalesce($6::jsonb, metrics),
       error = CASE WHEN $2 = 'succeeded' THEN NULL ELSE coalesce($7::jsonb, error) END,
       from_cache = $8,
       faults = faults + $9::integer,
       attempt = attempt + CASE WHEN $2 = 'running' THEN 1 ELSE 0 END,
       token = CASE WHEN $2 = 'running' THEN nextval('stage_token') END,
       worker = coalesce($10, worker),
       lease_expires_at = CASE WHEN $2 = 'running'
         THEN clock_timestamp() + $11::float8 * interval '1 ms' END,
       heartbeat_at = CASE WHEN $2 = 'running' THEN clock_timestamp() ELSE heartbeat_at END,
       available_at = CASE WHEN $2 = 'queued'
         THEN clock_timestamp() + $12::float8 * interval '1 ms' ELSE available_at END,
       rung_at = CASE WHEN $2 = 'queued'
         THEN clock_timestamp() + $12::float8 * interval '1 ms' ELSE rung_at END,
       progress = CASE WHEN $2 = 'queued' THEN NULL ELSE progress END,
       queued_at = CASE WHEN $2 = 'queued' THEN clock_timestamp() ELSE queued_at END,
       started_at = CASE WHEN $2 = 'running' THEN clock_timestamp() ELSE started_at END,
       finished_at = CASE WHEN $2 IN ('succeeded', 'failed', 'canceled')
         THEN clock_timestamp() END
     WHERE id = $1 RETURNING ${STAGE_COLUMNS}`,
    [
      stage.id,
      to,
      toJson(change.resolvedInputs),
      change.key ?? null,
      toJson(change.outputs),
      toJson(change.metrics),
      toJson(change.error),
      change.fromCache ?? false,
      change.isFault === true ? 1 : 0,
      change.claim?.worker ?? null,
      change.claim?.leaseMs ?? null,
      change.delayMs ?? 0,
    ],
  )
  return first(updated)
}

function eventData(stage: Stage): JsonObject {
  const { error } = stage
  return {
    stage: stage.name,
    stage_id: stage.id,
    kind: stage.kind,
    state: stage.state,
    attempt: stage.attempt,
    from_cache: stage.fromCache,
    ...(error === null
      ? {}
      : { error: { code: error.code, message: error.message, fault: error.fault } }),
  }
}
