export { WEIGHT_BITS, type WeightBits } from './block-grid.js'
export {
  collectGrams,
  type CollectGramsOptions,
  type GramPoint,
  gramPoints,
} from './collect-grams.js'
export { WEIGHT_KEPT_REASONS, type WeightKeptReason } from './decision.js'
export { type GramStatistics, type InputGram } from './gram-statistics.js'
export {
  type QuantizeWeightsOptions,
  WEIGHT_ALGORITHMS,
  WEIGHT_BLOCK_SIZES,
  WEIGHT_FORMATS,
  WEIGHT_OP_TYPES,
  type WeightAlgorithm,
  type WeightFormat,
  WEIGHTS_DEFAULTS,
} from './options.js'
export {
  quantizeWeights,
  type QuantizeWeightsContext,
  type QuantizeWeightsResult,
} from './quantize-weights.js'
export type { QuantizedWeightSummary, WeightLayerReport } from './report.js'
