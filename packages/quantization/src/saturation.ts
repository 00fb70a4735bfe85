// Integer saturation. onnxruntime multiplies uint8 activations by int8 weights with `vpmaddubsw` on
// processors without VNNI (AVX2, the first AVX-512 ones): two neighbouring products are added in 16
// bits, and what exceeds 32767 is cut off. With an activation of 255 that happens as soon as two
// weights of one sign have magnitudes a + b > 128. int8 activations are shifted to uint8 first, so
// they fare no better. VNNI and ARM add in 32 bits.
import type { ChannelLayout } from './channels.js'
import { forEachValue } from './channels.js'

/** Where the result will run, as far as integer arithmetic is concerned. */
export const TARGET_ISAS = ['auto', 'portable', 'avx2', 'avx512', 'vnni', 'neon'] as const

/** `auto` and `portable`: any processor onnxruntime supports. `vnni` includes AVX-VNNI and AMX. */
export type TargetIsa = (typeof TARGET_ISAS)[number]

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
  readonly absMax: Float32Array
  /** Sum of the two greatest magnitudes of the same sign. */
  readonly pairSum: Float64Array
}

export function channelPeaks(values: Float32Array, layout: ChannelLayout): ChannelPeaks {
  const first = [new Float32Array(layout.channels), new Float32Array(layout.channels)] as const
  const second = [new Float32Array(layout.channels), new Float32Array(layout.channels)] as const
  forEachValue(layout, (channel, index) => {
    const value = values[index]!
    const sign = value < 0 ? 1 : 0
    const magnitude = Math.abs(value)
    if (magnitude > first[sign][channel]!) {
      second[sign][channel] = first[sign][channel]!
      first[sign][channel] = magnitude
    } else if (magnitude > second[sign][channel]!) second[sign][channel] = magnitude
  })
  return {
    absMax: first[0].map((positive, channel) => Math.max(positive, first[1][channel]!)),
    pairSum: Float64Array.from(first[0], (positive, channel) =>
      Math.max(positive + second[0][channel]!, first[1][channel]! + second[1][channel]!),
    ),
  }
}

/** Channels of quantized weights in which some activations would saturate. */
export function countRiskyChannels(quantized: Int8Array, layout: ChannelLayout): number {
  const { pairSum } = channelPeaks(Float32Array.from(quantized), layout)
  return pairSum.reduce((count, sum) => count + (sum > MAX_PAIR_SUM ? 1 : 0), 0)
}
