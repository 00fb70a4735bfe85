// A weight seen as channels: the axis that has its own scale, and everything else.
export interface ChannelLayout {
  readonly channels: number
  /** Number of blocks of `channels · inner` values. */
  readonly outer: number
  /** Values of one channel that lie next to each other. */
  readonly inner: number
}

/** The layout of a row-major tensor by one axis; without an axis everything is one channel. */
export function channelLayout(dims: readonly number[], axis: number | undefined): ChannelLayout {
  const product = (sizes: readonly number[]) => sizes.reduce((count, size) => count * size, 1)
  if (axis === undefined) return { channels: 1, outer: 1, inner: product(dims) }
  return {
    channels: dims[axis]!,
    outer: product(dims.slice(0, axis)),
    inner: product(dims.slice(axis + 1)),
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
