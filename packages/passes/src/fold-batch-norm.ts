// BatchNormalization becomes part of the Conv, ConvTranspose or Gemm before it:
//   y = γ · (x − μ) / √(σ² + ε) + β,   scale = γ / √(σ² + ε),   shift = β − μ · scale.
// Rules:
// 1. Inference form only: training_mode 0, one output that is read, not `spatial` 0 (opset 7).
// 2. γ, β, μ and σ² are constants, σ² + ε > 0.
// 3. Nobody else reads the layer's output; its weight and bias are constants.
// 4. The new weight and bias get fresh names: another layer may share the old ones.
import {
  defineRewrite,
  floatAttribute,
  type GraphIndex,
  intAttribute,
  type Miss,
  miss,
  type Node,
  type Pass,
  rewritePass,
} from '@pare/graph'
import { toFloat32 } from '@pare/tensor'

import {
  affineLayerBefore,
  type ChannelAffine,
  replaceLayer,
  type ScaledLayer,
  scaleLayer,
} from './layer-affine.js'

export function foldBatchNorm(): Pass {
  return rewritePass(rule)
}

interface BatchNormMatch {
  readonly node: Node
  readonly scaled: ScaledLayer
}

const rule = defineRewrite<BatchNormMatch>({
  name: 'fold_batch_norm',
  opTypes: ['BatchNormalization'],
  match,
  rewrite: ({ node, scaled }, editor) => replaceLayer(scaled, node, editor),
})

function match(node: Node, index: GraphIndex): BatchNormMatch | Miss {
  if (intAttribute(node, 'training_mode', 0) !== 0 || intAttribute(node, 'spatial', 1) !== 1) {
    return miss('batch_norm_in_training', 'BatchNormalization is not in its inference form')
  }
  const further = node.outputs.slice(1).filter((output) => output !== '')
  if (further.some((output) => index.consumers(output).length > 0 || index.isGraphOutput(output))) {
    return miss('batch_norm_statistics_used', 'the statistics of BatchNormalization are read')
  }
  const layer = affineLayerBefore(node.inputs[0] ?? '', index)
  if (layer === undefined) {
    return miss('no_layer_before', 'no Conv, ConvTranspose or Gemm comes before BatchNormalization')
  }
  if ('miss' in layer) return layer
  const affine = batchNormAffine(node, index)
  if ('miss' in affine) return affine
  if (affine.scale.length !== layer.channels) {
    return miss('channels_differ', 'BatchNormalization has another number of channels')
  }
  const scaled = scaleLayer(layer, affine)
  return 'miss' in scaled ? scaled : { node, scaled }
}

/** The affine map of a BatchNormalization with constant parameters. */
function batchNormAffine(node: Node, index: GraphIndex): ChannelAffine | Miss {
  const parameters = node.inputs.slice(1, 5).map((input) => index.constant(input))
  const [gamma, beta, mean, variance] = parameters.map((tensor) =>
    tensor === undefined ? undefined : toFloat32(tensor),
  )
  if (!gamma || !beta || !mean || !variance) {
    return miss('batch_norm_not_constant', 'the parameters of BatchNormalization are not constants')
  }
  const epsilon = floatAttribute(node, 'epsilon', 1e-5)
  if (!variance.every((value) => value + epsilon > 0)) {
    return miss('batch_norm_variance', 'BatchNormalization has a variance that is not positive')
  }
  const scale = Float64Array.from(gamma, (value, i) => value / Math.sqrt(variance[i]! + epsilon))
  const shift = Float64Array.from(beta, (value, i) => value - mean[i]! * scale[i]!)
  return { scale, shift }
}
