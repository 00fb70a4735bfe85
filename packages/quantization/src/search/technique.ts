import type { CalibrationStatistics } from '@pare/calibration'
import type { Diagnostic, Model } from '@pare/graph'

import type { DataSource } from '../layers/data-source.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import type { QuantizeVerifiedResult } from '../static/quantize-verified.js'
import type { OutputError } from './output-error.js'

/** A float model, the ranges of its values, and what quantizing it gave. */
export interface SearchState {
  readonly model: Model
  readonly statistics: CalibrationStatistics
  readonly result: QuantizeVerifiedResult
  readonly error: OutputError
}

/** Another float model, or other ranges, that may quantize better. */
export interface Proposal {
  readonly model: Model
  /** Absent where the model must be calibrated anew. */
  readonly statistics?: CalibrationStatistics
  /** Values that must be looked at for that; all others are what they were. Absent: all. */
  readonly changed?: ReadonlySet<string>
  /** What was done, for the report: "12 pairs of layers". */
  readonly note: string
  readonly diagnostics?: readonly Diagnostic[]
}

export interface TechniqueContext {
  readonly options: QuantizeStaticOptions
  readonly source: DataSource
  /** Samples that a technique looks at. */
  readonly samples: number
  readonly onProgress?: (message: string) => void
}

/** Why a technique has nothing to propose. */
export interface NothingToDo {
  readonly nothing: string
}

/**
 * One way to lose less accuracy. What it proposes computes the float model's function; whether it is
 * kept is decided by running it.
 */
export interface Technique {
  readonly name: string
  readonly description: string
  /**
   * It moves ranges between channels, and does not look at those there are: several such techniques may
   * follow one another before all samples are looked at again.
   */
  readonly movesRanges?: boolean
  /** Whether it is worth a try without being asked for: cheap signs only. */
  readonly propose: (
    state: SearchState,
    context: TechniqueContext,
    asked: boolean,
  ) => Promise<Proposal | NothingToDo>
}
