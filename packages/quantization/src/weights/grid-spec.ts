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
  // 8 bits are enough for a whole row of a convolution or table, and need no Reshape.
  const isPlain = layer.layout === 'conv' || isGatheredCodes(layer, bits)
  const isRow = bits === 8 && isPlain
  return {
    bits,
    blockSize: isRow ? layer.columns : options.blockSize,
    symmetric: options.symmetric,
    scaleType: scaleType(layer, bits),
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

/** A table of which codes are gathered (write-qdq.ts). */
function isGatheredCodes({ layout, format }: WeightLayer, bits: WeightBits): boolean {
  return layout === 'table' && format === 'QDQ' && bits === 8
}

/** MatMulNBits, Cast and gathered codes compute in float32, whatever the model does. */
function scaleType(layer: WeightLayer, bits: WeightBits): GridSpec['scaleType'] {
  const { layout, format, weight } = layer
  const isProduct = format === 'MatMulNBits' && layout !== 'table'
  const isWide = format === 'Cast' || isProduct || isGatheredCodes(layer, bits)
  return isWide ? 'float32' : weight.dataType
}
