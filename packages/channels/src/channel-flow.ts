// What a flow is: how the channels of values pass one operator.
import type { GraphIndex, Node } from '@pare/graph'

import type { ChannelIds, Pinned } from './channel-ids.js'
import type { ChannelLayer, ChannelVector } from './channel-layers.js'

/** How the channels of a value lie. */
export interface ChannelValue {
  /** One per channel. */
  readonly ids: Int32Array
  /** Axis of the channels, from the end: −1 is the last. */
  readonly axis: number
  readonly rank: number | undefined
  /** Each id stands for a run of entries along the axis, of a length not known here (Flatten). */
  readonly isSpread: boolean
}

/** What a flow may ask and tell while the graph is walked. */
export interface FlowContext {
  readonly index: GraphIndex
  readonly ids: ChannelIds
  readonly of: (value: string) => ChannelValue | undefined
  readonly set: (value: string, channels: ChannelValue) => void
  /** Fixes the scale of a value's channels, if it has any. */
  readonly pin: (value: string, reason: Pinned) => void
  readonly rankOf: (value: string) => number | undefined
  readonly shapeOf: (value: string) => readonly number[] | undefined
  readonly clipMaxima: (value: string) => Float32Array | undefined
  readonly addLayer: (layer: ChannelLayer) => void
  readonly addVector: (vector: ChannelVector) => void
  readonly blockClip: (value: string, channels: ChannelValue) => void
  readonly refuse: (layer: Node, reason: Pinned) => void
}

/** Passes channels from the inputs of a node to its outputs, or says why it cannot. */
export type ChannelFlow = (node: Node, context: FlowContext) => Pinned | undefined
