// From statistics to ranges. Statistics of one kind serve several methods and parameters.
import type { CalibrationMethod } from '@pare/recipe'

import { autoRange } from './auto.js'
import { type Distribution, distributionOf } from './distribution.js'
import { entropyRange } from './entropy.js'
import { errors } from './errors.js'
import { readHistogram } from './histogram-observer.js'
import {
  RANGE_DEFAULTS,
  type RangeOptions,
  type ResolvedRangeOptions,
  STATISTICS_OF_METHOD,
} from './methods.js'
import { movingAverage } from './moving-average-observer.js'
import { mseRange } from './mse.js'
import { percentileRange } from './percentile.js'
import type {
  CalibrationStatistics,
  Ends,
  HistogramState,
  MinMaxState,
  MovingAverageState,
} from './statistics.js'

type HistogramMethod = {
  readonly [M in CalibrationMethod]: (typeof STATISTICS_OF_METHOD)[M] extends 'histogram'
    ? M
    : never
}[CalibrationMethod]

const FROM_HISTOGRAM: {
  readonly [M in HistogramMethod]: (d: Distribution, options: ResolvedRangeOptions) => Ends
} = {
  percentile: (distribution, { percentile }) => percentileRange(distribution, percentile),
  entropy: entropyRange,
  mse: mseRange,
  auto: autoRange,
}

/**
 * The range of each tensor that has one, in the order of the statistics. Throws
 * `calibration_statistics_mismatch` when the statistics are not of the kind that the method needs
 * (`STATISTICS_OF_METHOD`; `minmax` reads every kind), and `calibration_options_invalid`.
 */
export function rangesOf(
  statistics: CalibrationStatistics,
  method: CalibrationMethod = 'minmax',
  options: RangeOptions = {},
): ReadonlyMap<string, Ends> {
  const resolved = resolveOptions(options)
  const kind = STATISTICS_OF_METHOD[method]
  if (method !== 'minmax' && statistics.kind !== kind) {
    throw errors.calibration_statistics_mismatch(
      `${method} needs statistics of kind ${kind}, got ${statistics.kind}`,
    )
  }
  const ranges = new Map<string, Ends>()
  for (const [name, { state }] of Object.entries(statistics.tensors)) {
    const range = rangeOf(state, method, resolved)
    if (range !== undefined) ranges.set(name, range)
  }
  return ranges
}

/** The statistics with the ranges of a method: what `quantizeStatic` takes. */
export function withRangesOf(
  statistics: CalibrationStatistics,
  method: CalibrationMethod = 'minmax',
  options: RangeOptions = {},
): CalibrationStatistics<'minmax'> {
  const ranges = rangesOf(statistics, method, options)
  const tensors = Object.entries(statistics.tensors).map(([name, { rank, state }]) => {
    const range = ranges.get(name)
    const { nonFinite } = state
    return [
      name,
      { rank, state: range === undefined ? { nonFinite } : { range, nonFinite } },
    ] as const
  })
  const { version, samples } = statistics
  return { version, kind: 'minmax', samples, tensors: Object.fromEntries(tensors) }
}

function rangeOf(
  state: MinMaxState,
  method: CalibrationMethod,
  options: ResolvedRangeOptions,
): Ends | undefined {
  const { range } = state
  if (method === 'minmax' || range === undefined) return range
  // The kind was checked, so the state is the kind's.
  if (method === 'moving_average') {
    return movingAverage(state as MovingAverageState, options.movingAverageConstant)
  }
  const distribution = distributionOf(readHistogram(state as HistogramState))
  if (distribution === undefined) return range
  const { min, max } = FROM_HISTOGRAM[method](distribution, options)
  const { unit } = distribution
  return { min: min * unit, max: max * unit }
}

function resolveOptions(options: RangeOptions): ResolvedRangeOptions {
  const resolved = { ...RANGE_DEFAULTS, ...options }
  const { percentile, movingAverageConstant } = resolved
  if (!(percentile > 50 && percentile <= 100)) {
    throw errors.calibration_options_invalid(`percentile is ${percentile}, not above 50 up to 100`)
  }
  if (!(movingAverageConstant >= 0.005 && movingAverageConstant <= 1)) {
    throw errors.calibration_options_invalid(
      `movingAverageConstant is ${movingAverageConstant}, not from 0.005 to 1`,
    )
  }
  return resolved
}
