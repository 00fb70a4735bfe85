// Integer saturation. onnxruntime multiplies uint8 activations by int8 weights with `vpmaddubsw` on
// processors without VNNI (AVX2, the first AVX-512 ones): two neighbouring products are added in 16
// bits, and what exceeds 32767 is cut off. With an activation of 255 that happens as soon as two
// weights of one sign have magnitudes a + b > 128. int8 activations are shifted to uint8 first, so
// they fare no better. VNNI and ARM add in 32 bits.
import type { TargetIsa } from '@pare/recipe'

import type { ChannelLayout } from './channel-layout.js'

const SATURATES: Readonly<Record<TargetIsa, boolean>> = {
  auto: true,
  portable: true,
  avx2: true,
  avx512: true,
  vnni: false,
  neon: false,
}

/** Whether the integer kernels of the target may add two products in 16 bits. */
export function saturates(isa: TargetIsa): boolean {
  return SATURATES[isa]
}

/** 255 · (a + b) ≤ 32767 holds up to here. */
export const MAX_PAIR_SUM = 128

/**
 * The greatest magnitudes of one sign in each channel: which two weights meet in an instruction
 * depends on the kernel's packing, so any two of a channel are taken to.
 */
export interface ChannelPeaks {
  /** The two greatest of each channel; 0 where it has none above. */
  readonly up: Float64Array
  readonly secondUp: Float64Array
  /** The same of the negative ones, as magnitudes. */
  readonly down: Float64Array
  readonly secondDown: Float64Array
}

export function channelPeaks(
  values: ArrayLike<number>,
  { channels, outer, inner }: ChannelLayout,
): ChannelPeaks {
  const [up, secondUp] = [new Float64Array(channels), new Float64Array(channels)]
  const [down, secondDown] = [new Float64Array(channels), new Float64Array(channels)]
  let index = 0
  // Every weight of every candidate comes by: plain loops are three times as fast as `forEachValue`.
  for (let block = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < inner; i++) {
        const value = values[index++]!
        if (value > secondUp[channel]!) {
          secondUp[channel] = Math.min(value, up[channel]!)
          if (value > up[channel]!) up[channel] = value
        } else if (-value > secondDown[channel]!) {
          secondDown[channel] = Math.min(-value, down[channel]!)
          if (-value > down[channel]!) down[channel] = -value
        }
      }
    }
  }
  return { up, secondUp, down, secondDown }
}

/** The greatest sum of two magnitudes of one sign, each as `measure` has it: a map that keeps order. */
export function pairSum(
  { up, secondUp, down, secondDown }: ChannelPeaks,
  channel: number,
  measure = (magnitude: number) => magnitude,
): number {
  return Math.max(
    measure(up[channel]!) + measure(secondUp[channel]!),
    measure(down[channel]!) + measure(secondDown[channel]!),
  )
}
