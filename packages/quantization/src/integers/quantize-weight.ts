// Weights as int8: symmetric, one scale per output channel or one for all.
import { roundHalfToEven } from '@pare/tensor'

import { type ChannelLayout, channelLayout } from './channel-layout.js'
import { REDUCED_INT8, SYMMETRIC_INT8 } from './integer-type.js'
import { symmetricScale } from './params.js'
import { type ChannelPeaks, channelPeaks, MAX_PAIR_SUM, pairSum } from './saturation.js'

/**
 * How much of the int8 range the weights may use.
 * - `full`: −127…127.
 * - `reduced`: −64…64, whatever the weights are (onnxruntime's reduce_range).
 * - `pairwise`: as much as cannot saturate: in each channel the two greatest weights of one sign
 *   may sum to 128. A channel keeps all its bits when its greatest weight stands alone, and never
 *   loses more than one.
 */
export type WeightRange = 'full' | 'reduced' | 'pairwise'

export interface QuantizeWeightOptions {
  /** The axis of the output channels; absent for one scale. */
  readonly axis?: number | undefined
  readonly range: WeightRange
  /** Lower limits of the scales, one per channel: the bias of the channel must fit into int32. */
  readonly minScales?: Float64Array | undefined
}

export interface QuantizedWeight {
  readonly data: Int8Array
  /** One per channel, float32. */
  readonly scales: Float32Array
  readonly layout: ChannelLayout
  /** Channels that a kernel with 16-bit sums may saturate. */
  readonly riskyChannels: number
}

export function quantizeWeight(
  values: ArrayLike<number>,
  dims: readonly number[],
  options: QuantizeWeightOptions,
): QuantizedWeight {
  const layout = channelLayout(dims, options.axis)
  const peaks = channelPeaks(values, layout)
  const scales = new Float32Array(layout.channels)
  for (let channel = 0; channel < scales.length; channel++) {
    scales[channel] = channelScale(peaks, channel, options)
  }
  const data = quantizeSymmetric(values, scales, layout)
  const risky = scales.filter((scale, channel) => maySaturate(peaks, channel, scale))
  return { data, scales, layout, riskyChannels: risky.length }
}

/** A float32 value. */
function channelScale(
  peaks: ChannelPeaks,
  channel: number,
  { range, minScales }: QuantizeWeightOptions,
): number {
  const absMax = Math.max(peaks.up[channel]!, peaks.down[channel]!)
  const { qmax } = range === 'reduced' ? REDUCED_INT8 : SYMMETRIC_INT8
  const scale = Math.fround(Math.max(symmetricScale(absMax, qmax), minScales?.[channel] ?? 0))
  if (range !== 'pairwise') return scale
  // Two magnitudes that sum to 128 at most also do so rounded half to even: the one is rounded up
  // only where the other is rounded down. But the scale and the quotients are rounded to float32
  // before, which lifts both in rare cases; a slightly larger scale sets that right.
  let limited = Math.fround(Math.max(scale, pairSum(peaks, channel) / MAX_PAIR_SUM))
  while (maySaturate(peaks, channel, limited)) limited = Math.fround(limited * (1 + 2 ** -23))
  return limited
}

/** Added and taken away again, it rounds half to even what is smaller than 2^51; the rest stays as large. */
const ROUNDING = 1.5 * 2 ** 52

/**
 * round(value / scale) in −127…127, dividing in float32 as QuantizeLinear does. Every weight of every
 * candidate comes by, in code that is not warm yet: one plain loop.
 */
function quantizeSymmetric(
  values: ArrayLike<number>,
  scales: Float32Array,
  { channels, outer, inner }: ChannelLayout,
): Int8Array {
  const { qmin, qmax } = SYMMETRIC_INT8
  const data = new Int8Array(values.length)
  let index = 0
  for (let block = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++) {
      const scale = scales[channel]!
      for (const end = index + inner; index < end; index++) {
        const q = Math.fround(values[index]! / scale) + ROUNDING - ROUNDING
        data[index] = q > qmax ? qmax : q < qmin ? qmin : q
      }
    }
  }
  return data
}

/**
 * Whether two integers of one sign exceed what 16-bit sums hold. Rounding keeps the order, so the
 * greatest integers of a channel are those of its greatest weights.
 */
function maySaturate(peaks: ChannelPeaks, channel: number, scale: number): boolean {
  const round = (magnitude: number) =>
    Math.min(roundHalfToEven(Math.fround(magnitude / scale)), SYMMETRIC_INT8.qmax)
  return pairSum(peaks, channel, round) > MAX_PAIR_SUM
}

/** Int32 bias of each channel, in units of s_x · s_w. */
export interface QuantizedBias {
  readonly data: Int32Array
  readonly scales: Float32Array
}

/**
 * Quantizes a bias so that onnxruntime adds it to the integer accumulator as it is:
 * scale = s_x · s_w (float32), zero point 0, q = roundHalfToEven(b / scale). Undefined when a value
 * does not fit into int32, or is not finite.
 */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  weightScales: Float32Array,
): QuantizedBias | undefined {
  const scales = weightScales.map((scale) => Math.fround(inputScale * scale))
  const data = new Int32Array(bias.length)
  for (let i = 0; i < bias.length; i++) {
    const scale = scales.length === 1 ? scales[0]! : scales[i]!
    const q = roundHalfToEven(bias[i]! / scale)
    if (!(Math.abs(q) <= 2147483647)) return undefined
    data[i] = q
  }
  return { data, scales }
}

/**
 * The least weight scale per channel with which the bias fits into int32, with a margin for the
 * float32 rounding of the product. A channel that needs it has weights so small that all of them
 * together stay below 2^−16 · K of its bias, so coarser weights change nothing that can be seen.
 */
export function minScalesForBias(bias: Float32Array, inputScale: number): Float64Array {
  return Float64Array.from(bias, (b) => (Math.abs(b) * 1.0001) / (2147483647 * inputScale))
}
