export { PRUNING_KEPT_REASONS, type PruningKeptReason } from './decision.js'
export { errors } from './errors.js'
export {
  PRUNABLE_OP_TYPES,
  type PrunableOpType,
  PRUNE_WEIGHTS_DEFAULTS,
  type PruneWeightsOptions,
  PRUNING_SCOPES,
  type PruningScope,
} from './options.js'
export {
  type PrunedLayer,
  type PrunedWeight,
  pruneWeights,
  type PruneWeightsResult,
  type ZeroCount,
} from './prune-weights.js'
