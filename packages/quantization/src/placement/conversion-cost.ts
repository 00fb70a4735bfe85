// Whether integer arithmetic saves more than converting to it costs.
import { intsAttribute } from '@pare/graph'

import type { WeightedLayer } from '../layers/layer-weight.js'

/**
 * Multiply-accumulates per converted element from which convolutions between float neighbours are
 * faster in integers. Measured with onnxruntime 1.30 and VNNI, time in float by time in integers of
 * convolutions between hard swishes: 1×1 at 16 per element 0.74, 26 0.87, 32 0.98, 51 1.08, 64 1.19,
 * 128 1.49; 3×3 at 72 1.17, 144 1.73, 288 2.1. The patch embedding of a small vision transformer (13)
 * loses as well.
 */
export const MIN_MACS_PER_CONVERSION = 32

/**
 * For a layer with float on both sides. A MatMul or Gemm converts only its input, N products per
 * element; its int8 weight is worth having for its size alone. A convolution converts both:
 *   macs / (inputs + outputs) = K / (1 + C · stride / M), with K products per output element,
 * C and M input and output channels, `stride` the product of the strides.
 */
export function isWorthConverting(layer: WeightedLayer): boolean {
  if (layer.node.opType !== 'Conv') return true
  const stride = intsAttribute(layer.node, 'strides', []).reduce((product, s) => product * s, 1)
  const perOutput = 1 + (layer.inputs * stride) / layer.channels
  return layer.reductionSize / perOutput >= MIN_MACS_PER_CONVERSION
}

/** From this many input channels or products on, the integer kernel is faster. */
const THIN_INPUT_CHANNELS = 4
const THIN_REDUCTION_SIZE = 100

/**
 * A first convolution over an image of few channels: onnxruntime's float kernel for it is better
 * than the integer one, which packs channels by four. Measured with the next layer in integers, as
 * time of integer by time of float: 3×3 over 1, 2, 3 channels 1.39, 1.33, 1.27 (at stride 2 1.17),
 * 5×5 over 3 1.09, but 3×3 over 4 0.86 and 7×7 over 3 0.85. It also keeps the first layer exact.
 */
export function isThinConvolution(layer: WeightedLayer): boolean {
  return (
    layer.node.opType === 'Conv' &&
    layer.groups === 1 &&
    layer.inputs < THIN_INPUT_CHANNELS &&
    layer.reductionSize < THIN_REDUCTION_SIZE
  )
}
