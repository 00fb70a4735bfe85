// A layer's weight as integers of any type and granularity. int8 with a scale per channel or one for
// all is what kernels compute with (quantize-weight.ts); the others are here:
//   uint8   asymmetric, with a zero point per scale; a Conv with a scale per channel is symmetric
//           about 128, since its kernel takes one zero point for all channels;
//   int16   symmetric, for 16-bit activations;
//   blocks  of a type along the input channels, each with its own scale (opset 21).
import type { WeightType } from '@pare/recipe'
import { clamp, roundHalfToEven, toFloat32 } from '@pare/tensor'

import type { WeightedLayer } from '../layers/layer-weight.js'
import {
  type BlockLayout,
  blockLayout,
  channelLayout,
  forEachBlockValue,
  forEachValue,
} from './channel-layout.js'
import { INTEGER_RANGES, SYMMETRIC_INT8 } from './integer-type.js'
import {
  activationParams,
  type QuantizationParams,
  type RealRange,
  symmetricScale,
} from './params.js'
import { quantizeWeight, type WeightRange } from './quantize-weight.js'

export type WeightArray = Int8Array | Uint8Array | Int16Array

export interface WeightIntegers {
  readonly type: WeightType
  readonly data: WeightArray
  readonly granularity: 'per_tensor' | 'per_channel' | 'blocked'
  /** float32, in the order of `scaleDims`. */
  readonly scales: Float32Array
  /** [] for one scale, [channels], or the weight's with blocks along `axis`. */
  readonly scaleDims: readonly number[]
  /** One per scale; absent: all 0. */
  readonly zeroPoints?: WeightArray
  /** Of the channels, or that the blocks lie along; absent with one scale. */
  readonly axis?: number
  /** Of blocked weights. */
  readonly blockSize?: number
  /** Channels that a kernel with 16-bit sums may saturate. */
  readonly riskyChannels: number
}

export interface WeightScheme {
  readonly type: WeightType
  readonly perChannel: boolean
  readonly range: WeightRange
  /** Values that share a scale along the input channels; 0: no blocks. */
  readonly blockSize: number
  /** Lower limits of the scales, one per channel; of weights without blocks. */
  readonly minScales?: Float64Array
}

/** Quantizes the layer's weight, the factor that Gemm applies to it included. */
export function weightIntegers(layer: WeightedLayer, scheme: WeightScheme): WeightIntegers {
  const values = scaled(toFloat32(layer.weight), layer.weightFactor)
  if (isBlocked(layer, scheme.blockSize)) return blocked(values, layer, scheme)
  if (scheme.type !== 'int8') return perChannel(values, layer, scheme)
  const axis = scheme.perChannel ? layer.axis : undefined
  const { range, minScales } = scheme
  const weight = quantizeWeight(values, layer.weight.dims, { axis, range, minScales })
  return { ...weight, type: 'int8', ...granularity(axis, weight.scales.length) }
}

/** An axis no longer than a block has one scale per channel, which more runtimes know. */
export function isBlocked({ weight, inputAxis }: WeightedLayer, blockSize: number): boolean {
  return blockSize > 0 && weight.dims[inputAxis]! > blockSize
}

export function scaled(values: Float32Array, factor: number): Float32Array {
  return factor === 1 ? values : values.map((value) => value * factor)
}

function granularity(axis: number | undefined, scales: number) {
  return axis === undefined || scales === 1
    ? ({ granularity: 'per_tensor', scaleDims: [] } as const)
    : ({ granularity: 'per_channel', scaleDims: [scales], axis } as const)
}

function perChannel(
  values: Float32Array,
  layer: WeightedLayer,
  { type, perChannel: isPerChannel, range, minScales }: WeightScheme,
): WeightIntegers {
  const axis = isPerChannel ? layer.axis : undefined
  const layout = channelLayout(layer.weight.dims, axis)
  const symmetric = type !== 'uint8' || (isPerChannel && layer.node.opType === 'Conv')
  const reduced = range === 'reduced'
  const grid = { type, symmetric, reduced, count: layout.channels, minScales }
  const quantized = onGrid(values, grid, (visit) => forEachValue(layout, visit))
  return { type, ...quantized, ...granularity(axis, layout.channels), riskyChannels: 0 }
}

function blocked(
  values: Float32Array,
  layer: WeightedLayer,
  { type, range, blockSize }: WeightScheme,
): WeightIntegers {
  const layout: BlockLayout = blockLayout(layer.weight.dims, layer.inputAxis, blockSize)
  const { scaleDims } = layout
  const count = scaleDims.reduce((product, size) => product * size, 1)
  const grid = { type, symmetric: type !== 'uint8', reduced: range === 'reduced', count }
  const quantized = onGrid(values, grid, (visit) => forEachBlockValue(layout, visit))
  return {
    type,
    ...quantized,
    granularity: 'blocked',
    scaleDims,
    axis: layer.inputAxis,
    blockSize,
    riskyChannels: 0,
  }
}

interface Grid {
  readonly type: WeightType
  readonly symmetric: boolean
  /** One bit less. */
  readonly reduced: boolean
  /** Number of scales. */
  readonly count: number
  /** Lower limits of the scales. */
  readonly minScales?: Float64Array | undefined
}

type ForEach = (visit: (group: number, index: number) => void) => void

function onGrid(values: Float32Array, grid: Grid, forEach: ForEach) {
  const [mins, maxs] = [new Float32Array(grid.count), new Float32Array(grid.count)]
  forEach((group, index) => {
    const value = values[index]!
    if (value < mins[group]!) mins[group] = value
    if (value > maxs[group]!) maxs[group] = value
  })
  const params = Array.from(mins, (min, group) => {
    return groupParams(grid, { min, max: maxs[group]! }, grid.minScales?.[group] ?? 0)
  })
  const scales = Float32Array.from(params, ({ scale }) => scale)
  const zeroPoints = Int32Array.from(params, ({ zeroPoint }) => zeroPoint)
  const { qmin, qmax } = INTEGER_RANGES[grid.type]
  // Signed weights leave their lowest integer out.
  const least = grid.type === 'uint8' ? qmin : qmin + 1
  const data = arrayOf(grid.type, values.length)
  forEach((group, index) => {
    const q = roundHalfToEven(Math.fround(values[index]! / scales[group]!))
    data[index] = clamp(q + zeroPoints[group]!, least, qmax)
  })
  if (grid.type !== 'uint8') return { data, scales }
  return { data, scales, zeroPoints: Uint8Array.from(zeroPoints) }
}

function groupParams(grid: Grid, range: RealRange, minScale: number): QuantizationParams {
  const { type, symmetric, reduced } = grid
  if (type === 'uint8' && !symmetric) {
    // Reduced: 128 integers, so half the resolution over the same range.
    const { scale: full } = activationParams(range, 'uint8', { symmetric: false })
    const scale = Math.fround(Math.max(reduced ? (full * 255) / 127 : full, minScale))
    const zeroPoint = clamp(roundHalfToEven(-Math.min(range.min, 0) / scale), 0, 255)
    return { scale, zeroPoint }
  }
  const full = type === 'int16' ? 32767 : SYMMETRIC_INT8.qmax
  const qmax = reduced ? (full + 1) / 2 : full
  const scale = symmetricScale(Math.max(-range.min, range.max), qmax)
  return { scale: Math.fround(Math.max(scale, minScale)), zeroPoint: type === 'uint8' ? 128 : 0 }
}

function arrayOf(type: WeightType, length: number): WeightArray {
  switch (type) {
    case 'int8':
      return new Int8Array(length)
    case 'uint8':
      return new Uint8Array(length)
    case 'int16':
      return new Int16Array(length)
  }
}
