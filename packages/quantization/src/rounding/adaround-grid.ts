// The two integers that each weight may become, and how a chosen one is written as a float so that
// quantizing again gives just it. Quantizing again finds the scale from the peaks of each channel,
// so the peaks must stay as they are, to the bit:
//   - the greatest weight of a channel keeps its value (with `pairwise`: the greatest of each sign,
//     and where a pair decided the scale, the second of it too);
//   - no other weight may become greater than the peaks allow. Where an integer cannot be written
//     below that limit, the weight stays at its nearest integer.
// A weight that is 0 (a pruned one) stays 0.
import { clamp, roundHalfToEven } from '@pare/tensor'

import { type ChannelLayout, forEachValue } from '../integers/channel-layout.js'
import { SYMMETRIC_INT8 } from '../integers/integer-type.js'
import { symmetricScale } from '../integers/params.js'
import type { WeightRange } from '../integers/quantize-weight.js'
import { MAX_PAIR_SUM } from '../integers/saturation.js'

export interface RoundingGrid {
  /** The lower of the two integers. */
  readonly low: Int8Array
  /** w / s − low, in 0 … 1: how far the weight is above it. */
  readonly target: Float32Array
  /** 1 where the nearest integer is the upper one. */
  readonly nearest: Uint8Array
  /** 1 where both integers can be written. */
  readonly free: Uint8Array
  /** Float weights that quantize to the integers chosen; 1 chooses the upper. */
  readonly write: (upper: Uint8Array) => Float32Array
}

export interface GridInput {
  /** Weights as they are quantized, any factor applied. */
  readonly values: Float32Array
  /** Their nearest integers. */
  readonly data: Int8Array
  /** One per channel of the layout. */
  readonly scales: Float32Array
  readonly layout: ChannelLayout
  readonly range: WeightRange
}

export function roundingGrid(input: GridInput): RoundingGrid {
  const { values, data, scales, layout } = input
  const limits = channelLimits(input)
  const low = new Int8Array(values.length)
  const target = new Float32Array(values.length)
  const nearest = new Uint8Array(values.length)
  const free = new Uint8Array(values.length)
  const channels = new Uint32Array(values.length)
  const writable = (index: number, q: number) =>
    writtenMagnitude(q, scales[channels[index]!]!, limits.of(channels[index]!, q)) !== undefined
  forEachValue(layout, (channel, index) => {
    channels[index] = channel
    const ratio = values[index]! / scales[channel]!
    const below = clamp(Math.floor(ratio), SYMMETRIC_INT8.qmin, SYMMETRIC_INT8.qmax - 1)
    low[index] = below
    target[index] = clamp(ratio - below, 0, 1)
    nearest[index] = clamp(data[index]! - below, 0, 1)
    const isFree =
      values[index] !== 0 && !limits.kept.has(index) && ratio >= below && ratio <= below + 1
    free[index] = isFree && writable(index, below) && writable(index, below + 1) ? 1 : 0
  })
  const write = (upper: Uint8Array) =>
    values.map((value, index) => {
      if (free[index] === 0) return value
      const q = low[index]! + upper[index]!
      const channel = channels[index]!
      return Math.sign(q) * writtenMagnitude(q, scales[channel]!, limits.of(channel, q))!
    })
  return { low, target, nearest, free, write }
}

/** |q| · s, or as much of it as the limit allows if that is still rounded to |q|. */
function writtenMagnitude(q: number, scale: number, limit: number): number | undefined {
  const magnitude = Math.min(Math.fround(Math.abs(q) * scale), limit)
  return roundHalfToEven(Math.fround(magnitude / scale)) === Math.abs(q) ? magnitude : undefined
}

interface ChannelLimits {
  /** Weights that keep their value. */
  readonly kept: ReadonlySet<number>
  /** The greatest magnitude that a weight of the sign of `q` may get. */
  readonly of: (channel: number, q: number) => number
}

/** A channel's two greatest magnitudes of one sign, and where they are. */
interface Peaks {
  first: number
  second: number
  firstAt: number
  secondAt: number
}

function channelLimits({ values, layout, range }: GridInput): ChannelLimits {
  const peaks = [peaksOf(values, layout, 1), peaksOf(values, layout, -1)] as const
  const kept = new Set<number>()
  const limits = [new Float32Array(layout.channels), new Float32Array(layout.channels)] as const
  for (let channel = 0; channel < layout.channels; channel++) {
    const pair = [peaks[0][channel]!, peaks[1][channel]!] as const
    if (range === 'pairwise') limitPairs(pair, { channel, kept, limits })
    else {
      const greater = pair[0].first >= pair[1].first ? pair[0] : pair[1]
      kept.add(greater.firstAt)
      limits[0][channel] = limits[1][channel] = greater.first
    }
  }
  return { kept, of: (channel, q) => limits[q < 0 ? 1 : 0][channel]! }
}

function peaksOf(values: Float32Array, layout: ChannelLayout, sign: 1 | -1): readonly Peaks[] {
  const peaks = Array.from({ length: layout.channels }, (): Peaks => {
    return { first: 0, second: 0, firstAt: -1, secondAt: -1 }
  })
  forEachValue(layout, (channel, index) => {
    const magnitude = values[index]! * sign
    const known = peaks[channel]!
    if (magnitude > known.first) {
      known.second = known.first
      known.secondAt = known.firstAt
      known.first = magnitude
      known.firstAt = index
    } else if (magnitude > known.second) {
      known.second = magnitude
      known.secondAt = index
    }
  })
  return peaks
}

/** Below this part of a limit, rounding to float32 does not cross it. */
const CLEAR = 1 - 1e-6

/**
 * Either the greatest weight alone decides the scale: then pairs may sum to 128 steps. Or a pair
 * does: then it stays, and no other pair may sum to more.
 */
function limitPairs(
  pair: readonly [Peaks, Peaks],
  target: {
    readonly channel: number
    readonly kept: Set<number>
    readonly limits: readonly [Float32Array, Float32Array]
  },
): void {
  const sums = pair.map(({ first, second }) => first + second)
  const greatest = Math.max(sums[0]!, sums[1]!)
  const alone = symmetricScale(Math.max(pair[0].first, pair[1].first), SYMMETRIC_INT8.qmax)
  const byPair = greatest > alone * MAX_PAIR_SUM * CLEAR
  const most = byPair ? greatest : alone * MAX_PAIR_SUM
  for (const [i, peaks] of pair.entries()) {
    const { first, second } = peaks
    target.kept.add(peaks.firstAt)
    const decides = byPair && sums[i] === greatest
    if (decides) target.kept.add(peaks.secondAt)
    const limit = decides ? second : Math.max(second, (most - first) * CLEAR)
    target.limits[i === 0 ? 0 : 1][target.channel] = Math.min(first, limit)
  }
}
