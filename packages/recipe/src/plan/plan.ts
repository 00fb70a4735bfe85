// What the planner hands over: a job as stages, and which of their outputs are its artifacts.
import type { JsonObject } from '../json.js'
import type { Device } from '../target.js'

/** Where an input comes from: a blob known now, or the output of an earlier stage of the job. */
export type PlannedSource =
  { readonly blob: string } | { readonly stage: string; readonly role: string }

export interface PlannedInput {
  /** What the input is to the stage. */
  readonly role: string
  readonly from: PlannedSource
}

export interface PlannedStage<Kind extends string = string> {
  /** Unique in the job. */
  readonly name: string
  readonly kind: Kind
  readonly params: JsonObject
  /** A stage may only name stages before it in the plan. */
  readonly inputs: readonly PlannedInput[]
  /** Where it has to run; part of its key. Default: a CPU. */
  readonly device?: Device
}

/** A stage output that the job delivers. */
export interface PlannedArtifact {
  readonly stage: string
  readonly role: string
  readonly kind: 'model' | 'report'
  /** File name, unique in the job. */
  readonly name: string
}

/**
 * What a job will do: stages in an order in which each follows its sources. A plan grows: while it is
 * not complete, the metrics of its stages decide what comes next, when all of them have ended well.
 */
export interface JobPlan<Kind extends string = string> {
  /** What it was made from, for the planner alone: with the finished stages all that it looks at. */
  readonly basis: JsonObject
  readonly stages: readonly PlannedStage<Kind>[]
  readonly isComplete: boolean
  /** How many stages there will be at most; it only falls while the plan grows. */
  readonly expectedStages: number
  readonly artifacts: readonly PlannedArtifact[]
  readonly engineVersion: string
  readonly seed: number
}

/** A stage that has ended well. */
export interface FinishedStage {
  readonly name: string
  readonly metrics: JsonObject
}

/**
 * The plan with what follows from the finished stages; the stages before are the same. Pure.
 * @throws plan_changed when the plan given is not the one that this planner would have made
 */
export type GrowPlan = (plan: JobPlan, finished: readonly FinishedStage[]) => JobPlan

/** Progress of one stage, in its own unit. */
export interface StageProgress {
  readonly done: number
  readonly total: number
  readonly unit: string
  readonly message?: string
}
