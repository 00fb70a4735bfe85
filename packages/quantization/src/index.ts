export {
  type BiasCorrectionProgress,
  type BiasCorrectionReport,
  correctBias,
  type CorrectBiasOptions,
  type CorrectBiasResult,
} from './bias/bias-correction.js'
export {
  calibrateModel,
  type CalibrateModelOptions,
  takesSingleSamples,
} from './branches/calibrate-model.js'
export {
  DYNAMIC_DEFAULT_OP_TYPES,
  quantizeDynamic,
  type QuantizeDynamicOptions,
  type QuantizeDynamicResult,
} from './dynamic/quantize-dynamic.js'
export {
  type ChannelMaximaOptions,
  type ChannelPoint,
  collectChannelMaxima,
} from './equalization/channel-maxima.js'
export {
  type EqualizedPair,
  equalizeLayers,
  type EqualizeOptions,
  type EqualizeResult,
} from './equalization/equalize.js'
export {
  type SmoothedGroup,
  type SmoothOpType,
  smoothPoints,
  smoothQuant,
  type SmoothQuantOptions,
  type SmoothQuantResult,
  type SmoothTargets,
} from './equalization/smooth.js'
export { errors } from './errors.js'
export {
  type Float8LayerReport,
  float8ObservationPoints,
  quantizeFloat8,
  type QuantizeFloat8Options,
  type QuantizeFloat8Result,
} from './float8/float8.js'
export {
  type ActivationRanges,
  convertFloat16,
  type ConvertFloat16Options,
  type ConvertFloat16Result,
  FLOAT16_BLOCKED_OPS,
  type Float16LayerReport,
  float16ObservationPoints,
  type Float16ReadBack,
  readBackFloat16,
} from './float16/index.js'
export { type QuantizationParams, type RealRange } from './integers/params.js'
export type { WeightRange } from './integers/quantize-weight.js'
export { saturates } from './integers/saturation.js'
export type { DataSource } from './layers/data-source.js'
export { calibratedRanges, type RangeOf } from './placement/placement-policy.js'
export { toQOperator } from './qoperator/to-qoperator.js'
export type { LayerReport, QuantizedValueReport, QuantizedWeightReport } from './report/report.js'
export {
  adaRound,
  type AdaRoundOptions,
  type AdaRoundProgress,
  type AdaRoundReport,
  type AdaRoundResult,
} from './rounding/adaround.js'
export type { Verdict } from './search/fallback.js'
export { searchStatic } from './search/search.js'
export type {
  ChosenTechnique,
  RecalibratedPart,
  SearchStaticInput,
  SearchStaticResult,
  SensitivityDepth,
  TriedCandidate,
} from './search/search-input.js'
export type { LayerSensitivity } from './search/sensitivity.js'
export { chooseTechniques, type TechniqueOptions } from './search/techniques.js'
export { observationPoints } from './static/observation-points.js'
export { type QuantizeStaticOptions } from './static/options.js'
export { quantizeStatic, type QuantizeStaticResult } from './static/quantize-static.js'
export {
  quantizeVerified,
  type QuantizeVerifiedInput,
  type QuantizeVerifiedResult,
} from './static/quantize-verified.js'
export { type Optimize, readBack, type ReadBackResult } from './static/read-back.js'
export {
  collectGrams,
  type CollectGramsOptions,
  type GramPoint,
  gramPoints,
  type GramStatistics,
  type InputGram,
  type QuantizedWeightSummary,
  quantizeWeights,
  type QuantizeWeightsContext,
  type QuantizeWeightsOptions,
  type QuantizeWeightsResult,
  type WeightLayerReport,
} from './weights/index.js'
