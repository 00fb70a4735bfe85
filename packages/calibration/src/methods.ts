// The calibration methods: what each needs to have recorded, and its parameters.
import { type CalibrationMethod, STEP_TABLE } from '@pare/recipe'

import type { StatisticsKind } from './statistics.js'

/** What `calibrate` has to record for a method. `minmax` can be read from every kind. */
export const STATISTICS_OF_METHOD = {
  minmax: 'minmax',
  moving_average: 'moving_average',
  percentile: 'histogram',
  entropy: 'histogram',
  mse: 'histogram',
  auto: 'histogram',
} as const satisfies Readonly<Record<CalibrationMethod, StatisticsKind>>

export interface RangeOptions {
  /** Per cent of the values inside the range, for `percentile` and `auto`. Default 99.99. */
  readonly percentile?: number
  /** How much of the difference each batch moves the average, 0.005 to 1. Default 0.1. */
  readonly movingAverageConstant?: number
  /** Of the integers that the range is for, 8 or 16. Default 8. */
  readonly bits?: 8 | 16
  /** Whether the integers will be centred on 0. Default false. */
  readonly symmetric?: boolean
}

const calibration = STEP_TABLE.quantize_static.parameters.calibration.parameters

export const RANGE_DEFAULTS = {
  percentile: calibration.percentile.default,
  movingAverageConstant: calibration.moving_average_constant.default,
  bits: 8,
  symmetric: false,
} as const satisfies Required<RangeOptions>

export type ResolvedRangeOptions = Required<RangeOptions>
