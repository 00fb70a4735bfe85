export {
  collectGrams,
  type CollectGramsOptions,
  type GramPoint,
  gramPoints,
} from './collect-grams.js'
export { type GramStatistics, type InputGram } from './gram-statistics.js'
export { type QuantizeWeightsOptions } from './options.js'
export {
  quantizeWeights,
  type QuantizeWeightsContext,
  type QuantizeWeightsResult,
} from './quantize-weights.js'
export type { QuantizedWeightSummary, WeightLayerReport } from './report.js'
