export { CALIBRATION_BATCH_SIZE, calibrationBatchSize } from './batch-size.js'
export { calibrate, type CalibrateOptions, type Feeds } from './calibrate.js'
export { errors } from './errors.js'
export { mergeStatistics } from './merge-statistics.js'
export type { Observer, Reduction } from './observer.js'
export {
  type CalibrationStatistics,
  type MinMaxState,
  parseStatistics,
  type StatesByKind,
  STATISTICS_VERSION,
  type StatisticsKind,
  type TensorStatistics,
} from './statistics.js'
