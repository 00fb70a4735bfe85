export { errors as evaluationErrors } from './errors.js'
export { evaluate, judgePrimary } from './evaluate.js'
export { judge, type Judgement, type JudgeOptions, mergeJudgements } from './judge.js'
export {
  type LatencyComparison,
  type LatencyOptions,
  type LatencySummary,
  measureLatency,
} from './latency/measure-latency.js'
export { matchTensors, type TensorPair } from './layers/match-tensors.js'
export {
  type LayerError,
  measureLayers,
  type MeasureLayersOptions,
} from './layers/measure-layers.js'
export { measure, type Measurement, type MeasureOptions } from './measure.js'
export { type MemoryProbe, type MemoryUse, probeMemory } from './memory/memory-probe.js'
export {
  compareTensors,
  type Fidelity,
  type FidelitySums,
  finishFidelity,
  mergeFidelity,
  NO_FIDELITY,
} from './metrics/fidelity.js'
export type { Figure, PairedTest } from './metrics/metric.js'
export { countMacs, type MacCount, type ModelFacts, modelFacts } from './model/model-facts.js'
export type { ModelSource, StoredModel } from './model/model-source.js'
export { opCosts, type OpTypeCost, type OpTypeRow } from './profile/op-costs.js'
export { opFamily } from './profile/op-family-table.js'
export {
  type KernelProfile,
  type ModelProfile,
  profileModel,
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
export { type FileSize, measureSize } from './size.js'
export {
  type Interval,
  mcnemarExact,
  median,
  medianInterval,
  pairedDifferenceInterval,
  quantile,
  wilsonInterval,
} from './statistics.js'
