// How an attempt at a stage ends: completed, failed, handed back, canceled or lost. Each takes the
// fencing token; an attempt that was overtaken commits nothing.
import type { SerializedError } from '@pare/errors'
import type { GrowPlan, JsonObject } from '@pare/recipe'

import { afterSuccess } from './claim-stage.js'
import type { Tx } from './db.js'
import { endJob } from './end-job.js'
import { growsNever } from './grow-job.js'
import { rejectInspected } from './inspection.js'
import type { Job } from './jobs.js'
import type { Doorbell, StageOutputs } from './plan.js'
import { noteStageDone } from './progress.js'
import { insertStageResult } from './stage-results.js'
import { transitionStage } from './stage-transitions.js'
import {
  doorbellOf,
  doorbellsOfSameKey,
  listStages,
  lockCurrentStage,
  type LockedStage,
  type Stage,
  type StageClaim,
} from './stages.js'

/** Attempts that infrastructure may take before the stage fails. */
export const MAX_FAULTS = 5

export interface StageEnd {
  readonly stage: Stage
  /** Ring these after the commit. */
  readonly ready: readonly Doorbell[]
}

/**
 * Stores the result under the stage's key and moves the job on: the next stages are queued, or the
 * plan goes on as `grow` says, or the job succeeds with its artifacts. Throws `stage_token_stale` for an attempt that was overtaken.
 */
export async function completeStage(
  tx: Tx,
  {
    outputs,
    metrics,
    ...claim
  }: StageClaim & {
    readonly outputs: StageOutputs
    readonly metrics: JsonObject
  },
  grow: GrowPlan = growsNever,
): Promise<StageEnd> {
  const locked = await lockCurrentStage(tx, claim)
  const { stage, job } = locked
  const { projectId, kind, key } = stage
  // The result is right even if nobody waits for it any more: keep it for a retry.
  await insertStageResult(tx, {
    projectId,
    key: key ?? '',
    kind,
    outputs,
    metrics,
    stageId: stage.id,
  })
  const waiting = await doorbellsOfSameKey(tx, stage)
  if (job?.state === 'canceling') return cancelRunning(tx, locked, waiting)
  const done = await transitionStage(tx, stage, 'succeeded', { outputs, metrics })
  if (job !== null) await noteStageDone(tx, job, done)
  const { ready } = await afterSuccess(tx, done, locked, grow)
  return { stage: done, ready: [...ready, ...waiting] }
}

export interface StageFailure extends StageClaim {
  readonly error: SerializedError
  /** An infrastructure fault, to be tried again (default: the error's kind is `unavailable`). */
  readonly retryable?: boolean
  /** What the attempt made in spite of its failure: the best candidate and its report. */
  readonly outputs?: StageOutputs
  readonly metrics?: JsonObject
}

/**
 * A retryable failure queues the stage again with a delay until its budget is spent; any other
 * ends the job. With `outputs`, the artifacts that exist are kept with the failed job.
 */
export async function failStage(tx: Tx, failure: StageFailure): Promise<StageEnd> {
  const locked = await lockCurrentStage(tx, failure)
  return endAttempt(tx, locked, failure)
}

/** Ends an attempt whose lease has run out; the caller has locked and checked it. */
export async function loseStage(
  tx: Tx,
  locked: LockedStage,
  error: SerializedError,
): Promise<StageEnd> {
  return endAttempt(tx, locked, { error, retryable: true, isLost: true })
}

async function endAttempt(
  tx: Tx,
  locked: LockedStage,
  failure: Omit<StageFailure, 'stageId' | 'token'> & { readonly isLost?: boolean },
): Promise<StageEnd> {
  const { stage, job } = locked
  const waiting = await doorbellsOfSameKey(tx, stage)
  if (job?.state === 'canceling') return cancelRunning(tx, locked, waiting)
  const { error } = failure
  const retryable = failure.retryable ?? error.kind === 'unavailable'
  if (retryable && stage.faults < MAX_FAULTS) {
    const delayMs = backoffMs(stage.faults)
    const outcome = failure.isLost === true ? 'lost' : 'failed'
    const change = { error, delayMs, isFault: true, outcome } as const
    const again = await transitionStage(tx, stage, 'queued', change)
    return { stage: again, ready: [doorbellOf(again, delayMs), ...waiting] }
  }
  const failed = await transitionStage(tx, stage, 'failed', {
    error,
    ...(failure.outputs === undefined ? {} : { outputs: failure.outputs }),
    ...(failure.metrics === undefined ? {} : { metrics: failure.metrics }),
    outcome: failure.isLost === true ? 'lost' : 'failed',
  })
  if (job === null) await rejectInspected(tx, failed, error)
  else await endJob(tx, job, 'failed', { error, keepArtifacts: failure.outputs !== undefined })
  return { stage: failed, ready: waiting }
}

/** 1 s, 2 s, 4 s, … */
function backoffMs(faults: number): number {
  return 1000 * 2 ** faults
}

/** Hands the stage back without charging the attempt: a worker that shuts down in good order. */
export async function releaseStage(tx: Tx, claim: StageClaim): Promise<StageEnd> {
  const locked = await lockCurrentStage(tx, claim)
  if (locked.job?.state === 'canceling') return cancelRunning(tx, locked, [])
  const stage = await transitionStage(tx, locked.stage, 'queued', { outcome: 'released' })
  return { stage, ready: [doorbellOf(stage)] }
}

/** The worker has stopped the engine after a cancel request. */
export async function confirmCanceled(tx: Tx, claim: StageClaim): Promise<StageEnd> {
  const locked = await lockCurrentStage(tx, claim)
  return cancelRunning(tx, locked, await doorbellsOfSameKey(tx, locked.stage))
}

async function cancelRunning(
  tx: Tx,
  { stage, job }: LockedStage,
  ready: readonly Doorbell[],
): Promise<StageEnd> {
  const canceled = await transitionStage(tx, stage, 'canceled')
  if (job?.state === 'canceling' && !(await hasRunningStage(tx, job))) {
    await endJob(tx, job, 'canceled')
  }
  return { stage: canceled, ready }
}

export async function hasRunningStage(tx: Tx, job: Job): Promise<boolean> {
  return (await listStages(tx, job.id)).some(({ state }) => state === 'running')
}
