import type { PlainStep, PlannedSource } from '@pare/recipe'

/** Where the model of a job stands, between two steps of its recipe. */
export interface Working {
  readonly model: PlannedSource
  /** The model as `prepare` gave it, and what that said of it. */
  readonly prepared: PlannedSource
  readonly preparation: PlannedSource
  /** Types and sizes of the values of the model, as `prepare` learned them. */
  readonly shapes: PlannedSource
  /** How many samples at once it may be run on. */
  readonly batch: PlannedSource
  /** What calibration saw, where there was one. */
  readonly calibrated?: {
    readonly statistics: PlannedSource
    readonly data_quality: PlannedSource
  }
  /** Every step that was taken, those of rounds that did not hold too, in their order. */
  readonly trail: readonly TakenStep[]
}

/** A step that was taken once, with what it decided. */
export interface TakenStep {
  /** `1-prune_weights`; in a round `2/1-prune_weights`. */
  readonly label: string
  readonly step: PlainStep
  /** Of a repeat; absent outside. */
  readonly round?: number
  readonly decisions: PlannedSource
  /** What was measured behind it; absent of the last step, which the evaluation measures. */
  readonly measured?: PlannedSource
  /** False of a round whose result was not taken on. */
  readonly kept: boolean
}
