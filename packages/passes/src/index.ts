export { deduplicateInitializers } from './deduplicate-initializers.js'
export { errors } from './errors.js'
export { extractConstants } from './extract-constants.js'
export { flushTinyWeights } from './flush-tiny-weights.js'
export { foldAffine } from './fold-affine.js'
export { batchNormAffine, foldBatchNorm } from './fold-batch-norm.js'
export { foldConstants, type FoldConstantsOptions } from './fold-constants.js'
export { foldPad } from './fold-pad.js'
export { type FoldableActivation, foldableActivation } from './foldable-activation.js'
export { freezeInitializers } from './freeze-initializers.js'
export { hoistConstants } from './hoist-constants.js'
export { inlineFunctions, type InlineFunctionsOptions } from './inline-functions.js'
export {
  AFFINE_LAYERS,
  type AffineLayer,
  affineLayerBefore,
  type ChannelAffine,
  channelVector,
  replaceLayer,
  type ScaledLayer,
  scaleLayer,
} from './layer-affine.js'
export { learnShapes, type LearnShapesOptions, withOutputs } from './learn-shapes.js'
export { matMulToGemm, type MatMulToGemmOptions } from './matmul-to-gemm.js'
export type { ModelSession, OpenModel, Tensors } from './model-session.js'
export { normalizeGemm } from './normalize-gemm.js'
export {
  foldingPasses,
  plainPasses,
  type PreparedModel,
  prepareModel,
  type PrepareOptions,
  QUANTIZABLE_OPSET,
} from './pipelines.js'
export { raiseOpset, type RaiseOpsetOptions } from './raise-opset.js'
export { removeNoOps, type RemoveNoOpsOptions } from './remove-no-ops.js'
export { removeUnused } from './remove-unused.js'
export { sortTopologically } from './sort-topologically.js'
export { dataTypeOf, NO_SHAPES, rankOf, type ValueShape, type ValueShapes } from './value-types.js'
export { restoreBatch, widenBatch } from './widen-batch.js'
export { widenFloat16 } from './widen-float16.js'
