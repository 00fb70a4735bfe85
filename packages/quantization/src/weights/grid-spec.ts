// In how many bits and blocks a layer's weight is stored, which also depends on how it is written.
import { nodeLabel } from '@pare/graph'
import type { WeightBits } from '@pare/recipe'

import type { GridSpec } from './block-grid.js'
import type { WeightLayer } from './find-layers.js'
import type { ResolvedWeightsOptions } from './options.js'
import { NARROW_CAST_OPSET } from './write-cast.js'

/** What is asked for. */
export function requestedBits(
  { node }: Pick<WeightLayer, 'node'>,
  { bitsByNode, bits }: Pick<ResolvedWeightsOptions, 'bits' | 'bitsByNode'>,
): WeightBits {
  return bitsByNode[node.name] ?? bitsByNode[nodeLabel(node)] ?? bits
}

/** `opset` is that of the model that is written. */
export function gridSpec(
  layer: WeightLayer,
  options: ResolvedWeightsOptions,
  opset: number,
): GridSpec {
  const bits = storableBits(layer, options, opset)
  // 8 bits are enough for a whole row of a convolution, and need no Reshape.
  const isRow = layer.layout === 'conv' && bits === 8
  return {
    bits,
    blockSize: isRow ? layer.columns : options.blockSize,
    symmetric: options.symmetric,
    scaleType: scaleType(layer),
  }
}

/** With `auto` the fewest bits from those asked for on that the layer can be written in. */
function storableBits(
  layer: WeightLayer,
  options: ResolvedWeightsOptions,
  opset: number,
): WeightBits {
  const bits = requestedBits(layer, options)
  if (options.format !== 'auto' || bits === 8) return bits
  if (layer.format === 'Cast') return opset < NARROW_CAST_OPSET ? 8 : 4
  return layer.layout === 'table' ? 4 : bits
}

/** MatMulNBits and Cast compute in float32, whatever the model does. */
function scaleType({ layout, format, weight }: WeightLayer): GridSpec['scaleType'] {
  const isWide = format === 'Cast' || (format === 'MatMulNBits' && layout !== 'table')
  return isWide ? 'float32' : weight.dataType
}
