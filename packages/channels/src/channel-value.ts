// The channels of a value: an id for each, along any of its axes.

/** The channels along one axis. */
export interface AxisChannels {
  /** One per channel. */
  readonly ids: Int32Array
  /** Each id stands for a run of entries along the axis, of a length not known here (Flatten). */
  readonly isSpread: boolean
}

export interface ChannelValue {
  readonly rank: number | undefined
  /** By axis from the end: −1 is the last. An axis that is not here has no channels. */
  readonly axes: ReadonlyMap<number, AxisChannels>
}

/** The channels along one axis, and which axis of what that is. */
export interface PlacedChannels extends AxisChannels {
  /** From the end. */
  readonly axis: number
  readonly rank: number | undefined
}

/** Every axis that has channels. */
export function placedChannels(value: ChannelValue | undefined): readonly PlacedChannels[] {
  if (value === undefined) return []
  return [...value.axes].map(([axis, channels]) => ({ ...channels, axis, rank: value.rank }))
}

/** A value with channels along these axes; all are of one rank. */
export function channelValue(
  first: PlacedChannels,
  ...others: readonly PlacedChannels[]
): ChannelValue {
  const axes = [first, ...others].map(
    ({ axis, ids, isSpread }) => [axis, { ids, isSpread }] as const,
  )
  return { rank: first.rank, axes: new Map(axes) }
}

/**
 * The channels of a value that has them along one axis, as all have that only factors are followed
 * through.
 */
export function soleChannels(value: ChannelValue | undefined): PlacedChannels | undefined {
  const placed = placedChannels(value)
  return placed.length === 1 ? placed[0] : undefined
}

/** Whether channel i of the one meets channel i of the other, and no other. */
export function areAlike(a: PlacedChannels, b: PlacedChannels): boolean {
  const isSpread = a.isSpread || b.isSpread
  return a.axis === b.axis && a.ids.length === b.ids.length && (!isSpread || a.ids === b.ids)
}
