import type { JsonObject, StageKind } from '../stages/stage.js'

/** Where an input comes from: a blob known now, or the output of an earlier stage of the job. */
export type PlannedSource =
  { readonly blob: string } | { readonly stage: string; readonly role: string }

export interface PlannedInput {
  readonly role: string
  readonly from: PlannedSource
}

export interface PlannedStage {
  /** Unique in the job. */
  readonly name: string
  readonly kind: StageKind
  readonly params: JsonObject
  readonly inputs: readonly PlannedInput[]
}

/** A stage output that the job delivers. */
export interface PlannedArtifact {
  readonly stage: string
  readonly role: string
  readonly kind: 'model' | 'report'
  readonly name: string
}

/** What a job will do: stages in an order in which each follows its sources. */
export interface JobPlan {
  readonly stages: readonly PlannedStage[]
  readonly artifacts: readonly PlannedArtifact[]
  readonly engineVersion: string
  readonly seed: number
}
