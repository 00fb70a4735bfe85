export {
  type ClusteredLayer,
  type ClusteredWeight,
  clusterWeights,
  type ClusterWeightsOptions,
  type ClusterWeightsResult,
} from './cluster-weights.js'
export { errors } from './errors.js'
export { PRUNE_WEIGHTS_DEFAULTS, type PruneWeightsOptions } from './options.js'
export {
  type PrunedLayer,
  type PrunedWeight,
  pruneWeights,
  type PruneWeightsResult,
  type ZeroCount,
} from './prune-weights.js'
