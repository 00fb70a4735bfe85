// What a rule of the channel table is: how the channels of values pass one operator.
import type { GraphIndex, Node } from '@pare/graph'

import type { ChannelIds, Pinned } from './channel-ids.js'
import type { ChannelLayer, ChannelVector } from './channel-layers.js'
import type { ChannelValue, PlacedChannels } from './channel-value.js'

/** What a rule may ask and tell while the graph is walked. */
export interface RuleContext {
  readonly index: GraphIndex
  readonly ids: ChannelIds
  /** The channels of a value as the nodes so far have left them. */
  readonly of: (value: string) => ChannelValue | undefined
  readonly set: (value: string, channels: ChannelValue) => void
  /** Pins the channels of a value, along all of its axes, if it has any. */
  readonly pin: (value: string, reason: Pinned) => void
  readonly rankOf: (value: string) => number | undefined
  readonly shapeOf: (value: string) => readonly number[] | undefined
  readonly clipMaxima: (value: string) => Float32Array | undefined
  readonly addLayer: (layer: ChannelLayer) => void
  readonly addVector: (vector: ChannelVector) => void
  readonly blockClip: (value: string, channels: PlacedChannels) => void
  readonly refuse: (layer: Node, reason: Pinned) => void
}

/** Passes channels from the inputs of a node to its outputs, or says why it cannot. */
export type ChannelRule = (node: Node, context: RuleContext) => Pinned | undefined

/** What the table says of an operator. */
export interface ChannelRow {
  /**
   * Axis by axis, which channels of the outputs are which of the inputs, and which go together: who
   * takes away one of them takes away all.
   */
  readonly carries: ChannelRule
  /**
   * What a factor per channel does. `carried`: it goes where the channel goes, and what goes together
   * is scaled alike. A rule where it differs: weights and constants absorb factors, so that the
   * channels on both sides need not be scaled alike, or only some factors pass. Absent: none does.
   */
  readonly scales?: 'carried' | ChannelRule
}

/** Where the channels lie is not known. */
export function layoutUnknown({ opType }: Node): Pinned {
  return { code: 'layout_unknown', message: `where the channels lie behind ${opType} is unknown` }
}
