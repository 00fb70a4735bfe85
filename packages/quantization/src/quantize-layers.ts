// The integers of every layer: weights by the chosen range, biases by the scales that result.
import type { Node } from '@pare/graph'
import { toFloat32 } from '@pare/tensor'

import { type StaysFloat, staysFloat } from './decision.js'
import { isDepthwise, type WeightedLayer } from './layer-weight.js'
import {
  minScalesForBias,
  quantizeBias,
  type QuantizedBias,
  type QuantizedWeight,
  quantizeWeight,
  type WeightRange,
} from './quantize-weight.js'

export interface QuantizedLayer {
  readonly layer: WeightedLayer
  readonly weight: QuantizedWeight
  readonly range: WeightRange
  /** Absent where the layer has none. */
  readonly bias?: QuantizedBias
}

export interface QuantizeLayersOptions {
  readonly perChannel: boolean
  readonly weightRange: WeightRange
  /** Scale of each layer's input. */
  readonly inputScale: (layer: WeightedLayer) => number
}

export interface QuantizedLayers {
  readonly weights: ReadonlyMap<Node, QuantizedLayer>
  /** Layers that cannot be quantized after all. */
  readonly refused: ReadonlyMap<Node, StaysFloat>
}

/** A weight that several nodes use alike is quantized once. */
export function quantizeLayers(
  layers: Iterable<WeightedLayer>,
  options: QuantizeLayersOptions,
): QuantizedLayers {
  const weights = new Map<Node, QuantizedLayer>()
  const refused = new Map<Node, StaysFloat>()
  const known = new Map<string, QuantizedWeight>()
  for (const layer of layers) {
    const quantized = quantizeLayer(layer, options, known)
    if ('reason' in quantized) refused.set(layer.node, quantized)
    else weights.set(layer.node, quantized)
  }
  return { weights, refused }
}

function quantizeLayer(
  layer: WeightedLayer,
  options: QuantizeLayersOptions,
  known: Map<string, QuantizedWeight>,
): QuantizedLayer | StaysFloat {
  const range = isDepthwise(layer) ? 'full' : options.weightRange
  const axis = options.perChannel ? layer.axis : undefined
  const values = scaled(toFloat32(layer.weight), layer.weightFactor)
  const key = [layer.weightName, axis, layer.weightFactor, range].join(' ')
  const weight = known.get(key) ?? quantizeWeight(values, layer.weight.dims, { axis, range })
  known.set(key, weight)
  if (layer.bias === undefined) return { layer, weight, range }
  const biasValues = scaled(toFloat32(layer.bias), layer.biasFactor)
  const inputScale = options.inputScale(layer)
  const bias = quantizeBias(biasValues, inputScale, weight.scales)
  if (bias !== undefined) return { layer, weight, range, bias }
  return coarsen({ layer, range, axis, values, biasValues, inputScale })
}

interface Coarsening {
  readonly layer: WeightedLayer
  readonly range: WeightRange
  readonly axis: number | undefined
  readonly values: Float32Array
  readonly biasValues: Float32Array
  readonly inputScale: number
}

/**
 * A bias that does not fit into int32 at s_x · s_w belongs to a channel of tiny weights: a larger
 * weight scale makes it fit. With one scale for all channels that would cost the others too.
 */
function coarsen(c: Coarsening): QuantizedLayer | StaysFloat {
  const tooLarge = staysFloat('bias_too_large', 'its bias does not fit into int32')
  if (c.axis === undefined) return tooLarge
  const minScales = minScalesForBias(c.biasValues, c.inputScale)
  const { layer, range, axis } = c
  const weight = quantizeWeight(c.values, layer.weight.dims, { axis, range, minScales })
  const bias = quantizeBias(c.biasValues, c.inputScale, weight.scales)
  return bias === undefined ? tooLarge : { layer, weight, range, bias }
}

function scaled(values: Float32Array, factor: number): Float32Array {
  return factor === 1 ? values : values.map((value) => value * factor)
}
