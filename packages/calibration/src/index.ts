export { CALIBRATION_BATCH_SIZE, calibrationBatchSize } from './batch-size.js'
export { calibrate, type CalibrateOptions, type CountedBatch } from './calibrate.js'
export { type CoarseHistogram, coarseHistogram } from './coarse-histogram.js'
export { compareStatistics, driftOf, type TensorDrift } from './compare-statistics.js'
export { errors } from './errors.js'
export { mergeStatistics } from './merge-statistics.js'
export {
  type CalibrationMethod,
  RANGE_DEFAULTS,
  type RangeOptions,
  STATISTICS_OF_METHOD,
} from './methods.js'
export type {
  Collector,
  CountingObserver,
  Observer,
  ReducingObserver,
  Reduction,
} from './observer.js'
export { parseStatistics } from './parse-statistics.js'
export { rangesOf, withRangesOf } from './ranges-of.js'
export {
  type CalibrationStatistics,
  type Ends,
  type HistogramState,
  type MinMaxState,
  type MovingAverageState,
  type StatesByKind,
  STATISTICS_VERSION,
  type StatisticsKind,
  type TensorStatistics,
} from './statistics.js'
export type { Feeds } from './watcher.js'
