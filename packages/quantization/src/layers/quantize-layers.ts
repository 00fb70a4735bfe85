// The integers of every layer: weights by the chosen range, biases by the scales that result.
import type { Node } from '@pare/graph'
import { type WeightType, type WhyNot, whyNot } from '@pare/recipe'
import { type Tensor, toFloat32 } from '@pare/tensor'

import {
  minScalesForBias,
  quantizeBias,
  type QuantizedBias,
  type WeightRange,
} from '../integers/quantize-weight.js'
import {
  isBlocked,
  scaled,
  type WeightIntegers,
  weightIntegers,
  type WeightScheme,
} from '../integers/weight-integers.js'
import { isDepthwise, type WeightedLayer } from './layer-weight.js'

export interface QuantizedLayer {
  readonly layer: WeightedLayer
  readonly weight: WeightIntegers
  readonly range: WeightRange
  /** Absent where the layer has none, or where it stays float. */
  readonly bias?: QuantizedBias
}

export interface QuantizeLayersOptions {
  readonly weightType: WeightType
  readonly perChannel: boolean
  readonly weightRange: WeightRange
  /** 0: no blocks. */
  readonly blockSize: number
  /** Scale of each layer's input. */
  readonly inputScale: (layer: WeightedLayer) => number
  /** Whether the activations have integer kernels. */
  readonly hasKernels: boolean
}

export interface QuantizedLayers {
  readonly weights: ReadonlyMap<Node, QuantizedLayer>
  /** Layers that cannot be quantized after all. */
  readonly refused: ReadonlyMap<Node, WhyNot>
}

/** A weight that several nodes use alike is quantized once. */
export function quantizeLayers(
  layers: Iterable<WeightedLayer>,
  options: QuantizeLayersOptions,
): QuantizedLayers {
  const weights = new Map<Node, QuantizedLayer>()
  const refused = new Map<Node, WhyNot>()
  for (const layer of layers) {
    const quantized = quantizeLayer(layer, options)
    if ('reason' in quantized) refused.set(layer.node, quantized)
    else weights.set(layer.node, quantized)
  }
  return { weights, refused }
}

function quantizeLayer(
  layer: WeightedLayer,
  options: QuantizeLayersOptions,
): QuantizedLayer | WhyNot {
  const range = isDepthwise(layer) ? 'full' : options.weightRange
  const { weightType: type, perChannel, blockSize } = options
  const scheme: WeightScheme = { type, perChannel, range, blockSize }
  const weight = knownIntegers(layer, scheme)
  if (layer.bias === undefined) return { layer, weight, range }
  // Blocks have no scale that a bias could share.
  if (isBlocked(layer, blockSize)) return { layer, weight, range }
  const biasValues = scaled(toFloat32(layer.bias), layer.biasFactor)
  const inputScale = options.inputScale(layer)
  const bias = quantizeBias(biasValues, inputScale, weight.scales)
  if (bias !== undefined) return { layer, weight, range, bias }
  // With 16 bits on both sides it is no exception, and costs nothing that could be seen.
  const mayCoarsenAll = !options.hasKernels
  return coarsen({ layer, scheme, biasValues, inputScale, mayCoarsenAll })
}

/**
 * By weight: a search quantizes a model dozens of times and its weights are the same. Tensors never
 * change, so neither do their integers.
 */
const known = new WeakMap<Tensor, Map<string, WeightIntegers>>()

function knownIntegers(layer: WeightedLayer, scheme: WeightScheme): WeightIntegers {
  const { weight, axis, inputAxis, weightFactor, node } = layer
  const ofTensor = known.get(weight) ?? new Map<string, WeightIntegers>()
  known.set(weight, ofTensor)
  const key = JSON.stringify([axis, inputAxis, node.opType, weightFactor, scheme])
  const integers = ofTensor.get(key) ?? weightIntegers(layer, scheme)
  ofTensor.set(key, integers)
  return integers
}

interface Coarsening {
  readonly layer: WeightedLayer
  readonly scheme: WeightScheme
  readonly biasValues: Float32Array
  readonly inputScale: number
  /** Whether one scale for all channels may grow too. */
  readonly mayCoarsenAll: boolean
}

/**
 * A bias that does not fit into int32 at s_x · s_w belongs to a channel of tiny weights: a larger
 * weight scale makes it fit. With one scale for all channels that would cost the others too. (The
 * bias alone in float is no way out: onnxruntime quantizes it when it loads the model, and clips it.)
 */
function coarsen(c: Coarsening): QuantizedLayer | WhyNot {
  const { layer, scheme, biasValues, inputScale } = c
  const tooLarge = whyNot('bias_too_large', 'its bias does not fit into int32')
  if (!scheme.perChannel && !c.mayCoarsenAll) return tooLarge
  const limits = minScalesForBias(biasValues, inputScale)
  const minScales = scheme.perChannel ? limits : Float64Array.of(Math.max(...limits))
  const weight = weightIntegers(layer, { ...scheme, minScales })
  const bias = quantizeBias(biasValues, inputScale, weight.scales)
  return bias === undefined ? tooLarge : { layer, weight, range: scheme.range, bias }
}
