export { evaluate, judgePrimary } from './evaluate.js'
export { type Judgement, type JudgeOptions, mergeJudgements } from './judge.js'
export {
  type LatencyComparison,
  type LatencyOptions,
  type LatencySummary,
} from './latency/measure-latency.js'
export { type TensorPair } from './layers/match-tensors.js'
export { type LayerError, type MeasureLayersOptions } from './layers/measure-layers.js'
export { measure, type Measurement, type MeasureOptions } from './measure.js'
export { type MemoryProbe, type MemoryUse } from './memory/memory-probe.js'
export { type Fidelity, type FidelitySums } from './metrics/fidelity.js'
export type { Figure, PairedTest } from './metrics/metric.js'
export { countMacs, type MacCount, type ModelFacts } from './model/model-facts.js'
export type { ModelSource, StoredModel } from './model/model-source.js'
export { type OpTypeCost, type OpTypeRow } from './profile/op-costs.js'
export {
  type KernelProfile,
  type ModelProfile,
  type ProfileRequest,
  type Trace,
  type TraceRuns,
} from './profile/profile-model.js'
export type {
  Environment,
  EvaluationResult,
  FidelityReport,
  MetricComparison,
  Metrics,
  ModelMeasurements,
  PrimaryMetric,
  Profiles,
  Ratios,
} from './result.js'
export type {
  EvaluateOptions,
  EvaluationProgress,
  EvaluationTarget,
  LayerOptions,
  MemoryRequest,
} from './setting.js'
export { type FileSize } from './size.js'
export {
  type Interval,
  mcnemarExact,
  median,
  medianInterval,
  pairedDifferenceInterval,
} from './statistics.js'
