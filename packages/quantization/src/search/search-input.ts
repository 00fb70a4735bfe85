// What the search is given and what it tells.
import type { CalibrationStatistics } from '@pare/calibration'
import type { Diagnostic, Model } from '@pare/graph'

import type { DataSource } from '../layers/data-source.js'
import type { LayerReport } from '../report/report.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import type { Optimize } from '../static/read-back.js'
import type { Verdict } from './fallback.js'
import type { SearchProgress } from './search-progress.js'
import type { LayerSensitivity } from './sensitivity.js'
import type { Technique } from './technique.js'

/** `try` keeps what is better, `use` keeps it in any case. */
export interface ChosenTechnique {
  readonly technique: Technique
  readonly mode: 'try' | 'use'
}

/** `float16`: float layers whose weights are stored in 16 bits. */
export type Fallback = 'float' | 'float16' | 'none'

/** `auto`: `quantized_alone` for models with few layers. */
export type SensitivityDepth = 'auto' | 'none' | 'quantized_alone' | 'both'

export interface SearchStaticInput {
  /** A prepared float model and the ranges of its values. */
  readonly model: Model
  readonly statistics: CalibrationStatistics
  readonly options: QuantizeStaticOptions
  readonly optimize: Optimize
  readonly source: DataSource
  /** Calibrates a changed model, ranges chosen as before. */
  readonly recalibrate: (model: Model, part: RecalibratedPart) => Promise<CalibrationStatistics>
  readonly techniques: readonly ChosenTechnique[]
  readonly sensitivity: SensitivityDepth
  /** Judges a candidate; without it the first result is accepted. */
  readonly judge?: (candidate: Model) => Promise<Verdict>
  /** What layers become where the judge is not content; `none` leaves the result as it is. */
  readonly fallback: Fallback
  /** Multiply-accumulates of one sample, where known: the larger, the fewer samples are compared. */
  readonly macs?: number
  readonly onProgress?: (progress: SearchProgress) => void
}

export interface RecalibratedPart {
  /** The first so many; default all. */
  readonly samples?: number
  /** `CalibrateModelOptions.only`. */
  readonly only: (value: string) => boolean
}

/** One candidate that was run. Plain JSON, a row of the report. */
export interface TriedCandidate {
  readonly name: string
  readonly description: string
  /** SQNR of the model's outputs on calibration samples; null where there is no error. */
  readonly sqnr_db: number | null
  /** The drop that was judged, where there was a judge. */
  readonly drop?: number | null
  /** Whether it is in the result. */
  readonly chosen: boolean
  readonly layers_float: number
  readonly note?: string
}

export interface SearchStaticResult {
  readonly model: Model
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
  readonly rounds: number
  readonly tried: readonly TriedCandidate[]
  readonly sensitivity: readonly LayerSensitivity[]
}
