// What the planner hands over: a job as stages, and which of their outputs are its artifacts.
import type { JsonObject } from './json.js'

export type StageInputSource =
  { readonly blob: string } | { readonly stage: string; readonly role: string }

export interface PlannedInput {
  /** Unique in the stage. */
  readonly role: string
  readonly from: StageInputSource
}

export interface PlannedStage {
  /** Unique in the job. */
  readonly name: string
  readonly kind: string
  readonly params: JsonObject
  /** A stage may only name stages before it in the plan. */
  readonly inputs: readonly PlannedInput[]
}

export interface PlannedArtifact {
  readonly stage: string
  readonly role: string
  /** `model`, `report`, … */
  readonly kind: string
  /** File name, unique in the job. */
  readonly name: string
}

export interface JobPlan {
  readonly stages: readonly PlannedStage[]
  readonly artifacts: readonly PlannedArtifact[]
  readonly engineVersion: string
  readonly seed: number
}

export interface ResolvedInput {
  readonly role: string
  readonly sha256: string
}

export interface StageOutput {
  readonly sha256: string
  readonly sizeBytes: number
  readonly mediaType: string
}

/** role → blob. */
export type StageOutputs = Readonly<Record<string, StageOutput>>

/** Progress of one stage, in its own unit. */
export interface StageProgress {
  readonly done: number
  readonly total: number
  readonly unit: string
  readonly message?: string
}

/** Progress of a job: `fraction` of all stages, and where it is now. */
export interface JobProgress extends StageProgress {
  readonly stage: string
  /** 0 to 1, counting every stage alike. */
  readonly fraction: number
}

export const PRIORITIES = ['low', 'normal', 'high'] as const
export type Priority = (typeof PRIORITIES)[number]

/** Rings the queue for a stage that can be claimed. Losing or repeating one is harmless. */
export interface Doorbell {
  readonly stageId: string
  /** The attempt that the claim would start. */
  readonly attempt: number
  readonly kind: string
  readonly priority: Priority
  /** Ring no earlier than this many milliseconds from now. */
  readonly delayMs: number
}
