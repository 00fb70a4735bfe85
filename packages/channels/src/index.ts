export {
  type ChannelGraph,
  channelGraph,
  type ChannelGraphOptions,
  keepsScale,
} from './channel-graph.js'
export type { ChannelIds, Pinned } from './channel-ids.js'
export type { ChannelLayer, ChannelVector } from './channel-layers.js'
export {
  type ChannelScales,
  raiseRanges,
  type ScaledLayer,
  scaledLayers,
  writeScales,
} from './channel-scales.js'
