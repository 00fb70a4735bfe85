// The claim of one stage: a conditional change under row locks. Of several workers one gets the
// fencing token, the others learn that there is nothing to do. (Which stage: claim-best-stage.ts.)
import type { Device, GrowPlan } from '@pare/recipe'

import { type Advance, advanceJob, startJob } from './advance-job.js'
import { first, type Tx } from './db.js'
import { endIfLate } from './deadlines.js'
import { growsNever } from './grow-job.js'
import { settleInspection } from './inspection.js'
import type { Doorbell, ResolvedInput } from './plan.js'
import { findStageResult } from './stage-results.js'
import { transitionStage } from './stage-transitions.js'
import { type LockedStage, lockStage, type Stage, type StageClaim } from './stages.js'
import { isTerminalJobState } from './states.js'

export interface ClaimedStage extends StageClaim {
  readonly stage: Stage
  readonly inputs: readonly ResolvedInput[]
  /** Milliseconds that are left of the job's max_run_seconds; null without a limit. */
  readonly runTimeLeftMs: number | null
}

export type ClaimOutcome =
  | { readonly outcome: 'claimed'; readonly claim: ClaimedStage }
  /** The result was known by now; ring what it made ready. */
  | { readonly outcome: 'cached'; readonly ready: readonly Doorbell[] }
  /** Another stage computes the same key; this one is rung when that ends. */
  | { readonly outcome: 'busy' }
  /** It needs a device that the worker has not: drop the doorbell, others hear another one. */
  | { readonly outcome: 'elsewhere' }
  /** Backing off: ring again after `delayMs`. */
  | { readonly outcome: 'early'; readonly delayMs: number }
  /** Claimed by another worker, ended, or unknown: drop the doorbell. */
  | { readonly outcome: 'gone' }

export interface ClaimRequest {
  readonly stageId: string
  readonly workerId: string
  readonly leaseMs: number
  /** What the worker offers. Default: a CPU. */
  readonly devices?: readonly Device[]
  /** How plans go on whose last known stage the cache completes. */
  readonly grow?: GrowPlan
}

export const CPU: readonly Device[] = ['cpu']

export async function claimStage(tx: Tx, request: ClaimRequest): Promise<ClaimOutcome> {
  const locked = await lockStage(tx, request.stageId)
  if (locked === null || !isClaimable(locked)) return { outcome: 'gone' }
  const { stage } = locked
  if (!(request.devices ?? CPU).includes(stage.device)) return { outcome: 'elsewhere' }
  const delayMs = await delayLeft(tx, stage)
  if (delayMs > 0) return { outcome: 'early', delayMs }
  // A stage that ended just beyond the limit counted; the next one has no time to run in.
  if (await endWithoutRunTime(tx, locked)) return { outcome: 'gone' }
  await lockKey(tx, stage)
  // In this order: a computation that ends between the two has left its result.
  if (await isKeyRunning(tx, stage)) return { outcome: 'busy' }
  const known = await findStageResult(tx, { projectId: stage.projectId, key: stage.key ?? '' })
  if (known !== null) {
    const done = await transitionStage(tx, stage, 'succeeded', { ...known, fromCache: true })
    return {
      outcome: 'cached',
      ready: (await afterSuccess(tx, done, locked, request.grow ?? growsNever)).ready,
    }
  }
  const job = locked.job === null ? null : await startJob(tx, locked.job)
  const running = await transitionStage(tx, stage, 'running', {
    claim: { worker: request.workerId, leaseMs: request.leaseMs },
  })
  return {
    outcome: 'claimed',
    claim: {
      stageId: stage.id,
      token: running.token ?? 0,
      stage: running,
      inputs: running.resolvedInputs ?? [],
      runTimeLeftMs: job === null ? null : await runTimeLeft(tx, job.id),
    },
  }
}

function isClaimable({ stage, job }: LockedStage): boolean {
  if (stage.state !== 'queued') return false
  return job === null || (!isTerminalJobState(job.state) && job.state !== 'canceling')
}

async function endWithoutRunTime(tx: Tx, { job }: LockedStage): Promise<boolean> {
  if (job?.runSeconds == null || job.maxRunSeconds === null) return false
  return job.runSeconds >= job.maxRunSeconds && (await endIfLate(tx, job.id))
}

/** What follows from a stage's success: the next stages, or the model or dataset being ready. */
export async function afterSuccess(
  tx: Tx,
  done: Stage,
  { job }: LockedStage,
  grow: GrowPlan,
): Promise<Pick<Advance, 'ready'>> {
  if (job !== null) return advanceJob(tx, job, grow)
  await settleInspection(tx, done)
  return { ready: [] }
}

/** Claims of one key go one after the other, so that only one of them finds it idle. */
async function lockKey(tx: Tx, stage: Stage): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `stage ${stage.projectId} ${stage.key ?? ''}`,
  ])
}

/** A lease that ran out counts too: until the reconciler takes the stage, its result may still come. */
async function isKeyRunning(tx: Tx, stage: Stage): Promise<boolean> {
  const running = await tx.query(
    `SELECT 1 FROM stage WHERE project_id = $1 AND key = $2 AND state = 'running'`,
    [stage.projectId, stage.key],
  )
  return running.rows.length > 0
}

async function delayLeft(tx: Tx, stage: Stage): Promise<number> {
  const { ms } = first(
    await tx.query<{ ms: number }>(
      `SELECT ceil(extract(epoch FROM $1::timestamptz - clock_timestamp()) * 1000)::float8 AS ms`,
      [stage.availableAt],
    ),
  )
  return ms
}

async function runTimeLeft(tx: Tx, jobId: string): Promise<number | null> {
  const { ms } = first(
    await tx.query<{ ms: number | null }>(
      `SELECT (extract(epoch FROM run_deadline_at - clock_timestamp()) * 1000)::float8 AS ms
       FROM job WHERE id = $1`,
      [jobId],
    ),
  )
  return ms
}
