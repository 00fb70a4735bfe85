// A weight seen as channels: the axis that has its own scale, and everything else.
import { elementCount } from '@pare/tensor'

export interface ChannelLayout {
  readonly channels: number
  /** Number of blocks of `channels · inner` values. */
  readonly outer: number
  /** Values of one channel that lie next to each other. */
  readonly inner: number
}

/** A weight seen as blocks along one axis; each line along the axis has blocks of its own. */
export interface BlockLayout {
  readonly outer: number
  /** Size of the axis. */
  readonly length: number
  readonly inner: number
  readonly blockSize: number
  /** Shape of the scales: the weight's, with blocks in place of the axis. */
  readonly scaleDims: readonly number[]
}

/** The layout of a row-major tensor by one axis; without an axis everything is one channel. */
export function channelLayout(dims: readonly number[], axis: number | undefined): ChannelLayout {
  if (axis === undefined) return { channels: 1, outer: 1, inner: elementCount(dims) }
  return {
    channels: dims[axis]!,
    outer: elementCount(dims.slice(0, axis)),
    inner: elementCount(dims.slice(axis + 1)),
  }
}

/** Calls `visit(channel, index)` for every value, in memory order. */
export function forEachValue(
  layout: ChannelLayout,
  visit: (channel: number, index: number) => void,
): void {
  const { channels, outer, inner } = layout
  let index = 0
  for (let block = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < inner; i++) visit(channel, index++)
    }
  }
}

/** Blocks of `blockSize` along `axis`, the last one shorter where they do not fit. */
export function blockLayout(dims: readonly number[], axis: number, blockSize: number): BlockLayout {
  const length = dims[axis]!
  return {
    outer: elementCount(dims.slice(0, axis)),
    length,
    inner: elementCount(dims.slice(axis + 1)),
    blockSize,
    scaleDims: dims.with(axis, Math.ceil(length / blockSize)),
  }
}

/** Calls `visit(block, index)` for every value, in memory order. */
export function forEachBlockValue(
  { outer, length, inner, blockSize }: BlockLayout,
  visit: (block: number, index: number) => void,
): void {
  const blocks = Math.ceil(length / blockSize)
  let index = 0
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < length; k++) {
      const first = (o * blocks + Math.floor(k / blockSize)) * inner
      for (let i = 0; i < inner; i++) visit(first + i, index++)
    }
  }
}
