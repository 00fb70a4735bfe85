// Moves a job on as far as it goes without a worker: inputs that are there are resolved, keys that
// are known are taken from the cache, stages that are ready are queued, and when the last one has
// succeeded the job is finished. All in the caller's transaction, under the job's row lock.
import { CodedError } from '@pare/errors'
import type { GrowPlan, PlannedInput } from '@pare/recipe'

import { insertPlannedArtifacts } from './artifacts.js'
import type { Tx } from './db.js'
import { endJob } from './end-job.js'
import { errors } from './errors.js'
import { growJob, nextPlan } from './grow-job.js'
import { transitionJob } from './job-transitions.js'
import type { Job } from './jobs.js'
import type { Doorbell, ResolvedInput } from './plan.js'
import { stageKey } from './stage-key.js'
import { findStageResult } from './stage-results.js'
import { transitionStage } from './stage-transitions.js'
import { doorbellOf, listStages, type Stage } from './stages.js'

export interface Advance {
  readonly job: Job
  /** Ring these after the commit. */
  readonly ready: readonly Doorbell[]
}

/** `grow` says how the plan goes on, when all its stages have ended well and it is not complete. */
export async function advanceJob(tx: Tx, job: Job, grow: GrowPlan): Promise<Advance> {
  const ready: Doorbell[] = []
  let current = job
  for (;;) {
    const { stages, missing, queued } = await settleStages(tx, current)
    if (missing !== undefined) {
      return { job: await failForMissingOutput(tx, current, missing), ready: [] }
    }
    ready.push(...queued)
    if (stages.some(({ state }) => state !== 'succeeded')) return { job: current, ready }
    if (current.plan.isComplete) return { job: await finishJob(tx, current), ready }
    const plan = nextPlan(current, stages, grow)
    if (plan instanceof CodedError) return { job: await failForPlan(tx, current, plan), ready: [] }
    current = await growJob(tx, current, plan)
  }
}

interface Settled {
  readonly stages: readonly Stage[]
  readonly queued: readonly Doorbell[]
  /** A stage whose input a finished one did not give. */
  readonly missing?: Stage
}

async function settleStages(tx: Tx, job: Job): Promise<Settled> {
  const stages = new Map((await listStages(tx, job.id)).map((stage) => [stage.name, stage]))
  const queued: Doorbell[] = []
  // Plans only look back, so one pass in their order settles everything that can be settled.
  for (const stage of stages.values()) {
    if (stage.state !== 'blocked') continue
    const inputs = resolveInputs(stage, stages)
    if (inputs === 'waiting') continue
    if (inputs === 'missing') return { stages: [...stages.values()], queued, missing: stage }
    const moved = await queueStage(tx, stage, inputs)
    stages.set(stage.name, moved)
    if (moved.state === 'queued') queued.push(doorbellOf(moved))
  }
  return { stages: [...stages.values()], queued }
}

function resolveInputs(
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
): readonly ResolvedInput[] | 'waiting' | 'missing' {
  const resolved: ResolvedInput[] = []
  for (const input of stage.inputs) {
    const found = resolveInput(input, stages)
    if (found === 'waiting' || found === 'missing') return found
    resolved.push(found)
  }
  return resolved
}

function resolveInput(
  { role, from }: PlannedInput,
  stages: ReadonlyMap<string, Stage>,
): ResolvedInput | 'waiting' | 'missing' {
  if ('blob' in from) return { role, sha256: from.blob }
  const producer = stages.get(from.stage)
  if (producer?.state !== 'succeeded') return 'waiting'
  const output = producer.outputs?.[from.role]
  return output === undefined ? 'missing' : { role, sha256: output.sha256 }
}

/** Queues a stage whose inputs are known, or completes it at once when its key is. */
export async function queueStage(
  tx: Tx,
  stage: Stage,
  resolvedInputs: readonly ResolvedInput[],
): Promise<Stage> {
  const key = stageKey({
    kind: stage.kind,
    inputs: Object.fromEntries(resolvedInputs.map(({ role, sha256 }) => [role, sha256])),
    params: stage.params,
    engineVersion: stage.engineVersion,
    seed: stage.seed,
    device: stage.device,
  })
  const known = await findStageResult(tx, { projectId: stage.projectId, key })
  if (known === null) return transitionStage(tx, stage, 'queued', { resolvedInputs, key })
  return transitionStage(tx, stage, 'succeeded', { resolvedInputs, key, fromCache: true, ...known })
}

async function failForMissingOutput(tx: Tx, job: Job, stage: Stage): Promise<Job> {
  const error = errors.stage_output_missing(
    `stage "${stage.name}" needs an output that a stage before it did not give`,
    { details: { stage: stage.name } },
  )
  return endJob(tx, await startJob(tx, job), 'failed', { error: error.toJSON() })
}

async function failForPlan(tx: Tx, job: Job, error: CodedError): Promise<Job> {
  return endJob(tx, await startJob(tx, job), 'failed', { error: error.toJSON() })
}

/** A job that needs no worker still passes through `running`, so its events tell the same story. */
export async function startJob(tx: Tx, job: Job): Promise<Job> {
  return job.state === 'queued' ? transitionJob(tx, job, 'running') : job
}

async function finishJob(tx: Tx, job: Job): Promise<Job> {
  const finalizing = await transitionJob(tx, await startJob(tx, job), 'finalizing')
  const artifacts = await insertPlannedArtifacts(tx, finalizing)
  if (artifacts.length < finalizing.plan.artifacts.length) {
    const error = errors.stage_output_missing(
      'a stage did not give an artifact that the plan names',
    )
    return transitionJob(tx, finalizing, 'failed', { error: error.toJSON(), artifacts })
  }
  return transitionJob(tx, finalizing, 'succeeded', { artifacts })
}
