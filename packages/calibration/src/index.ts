export { calibrationBatchSize } from './batch-size.js'
export { calibrate, type CalibrateOptions } from './calibrate.js'
export { type CoarseHistogram, coarseHistogram } from './coarse-histogram.js'
export { compareStatistics, type TensorDrift } from './compare-statistics.js'
export { type Compute, openSession } from './compute.js'
export { errors } from './errors.js'
export { mergeStatistics } from './merge-statistics.js'
export { type RangeOptions, STATISTICS_OF_METHOD } from './methods.js'
export type {
  Collector,
  CountingObserver,
  Observer,
  ReducingObserver,
  Reduction,
} from './observer.js'
export { parseStatistics } from './parse-statistics.js'
export type { AttachedProbe, Outputs, Probe, ProbedBatch, ProbeGraph } from './probes/probe.js'
export { type ProbeResults, runProbes, type RunProbesOptions } from './probes/run-probes.js'
export { type ShownValues, shownValues } from './probes/shown-values.js'
export type { DataDiagnostic, DataQuality, InputSummary } from './quality/data-quality.js'
export {
  DEAD_CHANNEL_VALUES,
  type DeadChannelOptions,
  type DeadChannels,
  findDeadChannels,
} from './quality/dead-channels.js'
export { assessData, type Observations } from './quality/diagnose.js'
export { inputDrift, rangeDrift } from './quality/drift.js'
export { InputWatch, type WatchedInput } from './quality/input-watch.js'
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
