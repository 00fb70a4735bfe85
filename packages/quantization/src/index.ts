export {
  adaRound,
  type AdaRoundOptions,
  type AdaRoundProgress,
  type AdaRoundReport,
  type AdaRoundResult,
} from './accuracy/adaround.js'
export {
  BIAS_CORRECTION_METHODS,
  type BiasCorrectionMethod,
  type BiasCorrectionProgress,
  type BiasCorrectionReport,
  correctBias,
  type CorrectBiasOptions,
  type CorrectBiasResult,
} from './accuracy/bias-correction.js'
export {
  type ChannelMaximaOptions,
  type ChannelPoint,
  collectChannelMaxima,
} from './accuracy/channel-maxima.js'
export type { DataSource } from './accuracy/data-source.js'
export {
  clipPoints,
  type EqualizedPair,
  equalizeLayers,
  type EqualizeOptions,
  type EqualizeResult,
} from './accuracy/equalize.js'
export type { Verdict } from './accuracy/fallback.js'
export { searchStatic } from './accuracy/search.js'
export type {
  ChosenTechnique,
  RecalibratedPart,
  SearchStaticInput,
  SearchStaticResult,
  SensitivityDepth,
  TriedCandidate,
} from './accuracy/search-input.js'
export type { LayerSensitivity } from './accuracy/sensitivity.js'
export {
  SMOOTH_OP_TYPES,
  type SmoothedGroup,
  type SmoothOpType,
  smoothPoints,
  smoothQuant,
  type SmoothQuantOptions,
  type SmoothQuantResult,
  type SmoothTargets,
} from './accuracy/smooth.js'
export { chooseTechniques, type TechniqueOptions } from './accuracy/techniques.js'
export {
  calibrateModel,
  type CalibrateModelOptions,
  takesSingleSamples,
} from './bodies/calibrate-model.js'
export { FLOAT_REASONS, type FloatReason } from './decision.js'
export { errors } from './errors.js'
export {
  FLOAT8,
  type Float8LayerReport,
  float8ObservationPoints,
  quantizeFloat8,
  type QuantizeFloat8Options,
  type QuantizeFloat8Result,
} from './float8.js'
export {
  type ActivationRanges,
  convertFloat16,
  type ConvertFloat16Options,
  type ConvertFloat16Result,
  FLOAT16_BLOCKED_OPS,
  FLOAT16_DEFAULTS,
  type Float16LayerReport,
  float16ObservationPoints,
  type Float16ReadBack,
  NARROW_TYPES,
  type NarrowType,
  OVERFLOW_POLICIES,
  type OverflowPolicy,
  readBackFloat16,
} from './float16/index.js'
export {
  ACTIVATION_TYPES,
  type ActivationType,
  WEIGHT_TYPES,
  type WeightType,
} from './integer-type.js'
export { observationPoints } from './observation-points.js'
export {
  QUANT_FORMATS,
  type QuantFormat,
  type QuantizeStaticOptions,
  STATIC_DEFAULTS,
  type StaticContradiction,
  staticContradictions,
} from './options.js'
export { activationParams, type QuantizationParams, type RealRange } from './params.js'
export { calibratedRanges, type RangeOf } from './placement-policy.js'
export { toQOperator } from './qoperator/to-qoperator.js'
export {
  DYNAMIC_DEFAULT_OP_TYPES,
  quantizeDynamic,
  type QuantizeDynamicOptions,
  type QuantizeDynamicResult,
} from './quantize-dynamic.js'
export { quantizeStatic, type QuantizeStaticResult } from './quantize-static.js'
export {
  quantizeVerified,
  type QuantizeVerifiedInput,
  type QuantizeVerifiedResult,
} from './quantize-verified.js'
export type { WeightRange } from './quantize-weight.js'
export { type Optimize, readBack, type ReadBackResult } from './read-back.js'
export type { LayerReport, QuantizedValueReport, QuantizedWeightReport } from './report.js'
export { saturates, TARGET_ISAS, type TargetIsa } from './saturation.js'
export {
  collectGrams,
  type CollectGramsOptions,
  decodeGrams,
  encodeGrams,
  type GramPoint,
  gramPoints,
  type GramStatistics,
  type InputGram,
  mergeGrams,
  type QuantizedWeightSummary,
  quantizeWeights,
  type QuantizeWeightsContext,
  type QuantizeWeightsOptions,
  type QuantizeWeightsResult,
  WEIGHT_ALGORITHMS,
  WEIGHT_BITS,
  WEIGHT_BLOCK_SIZES,
  WEIGHT_FORMATS,
  WEIGHT_KEPT_REASONS,
  WEIGHT_OP_TYPES,
  type WeightAlgorithm,
  type WeightBits,
  type WeightFormat,
  type WeightKeptReason,
  type WeightLayerReport,
  WEIGHTS_DEFAULTS,
} from './weights/index.js'
