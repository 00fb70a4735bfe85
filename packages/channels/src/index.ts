export {
  type ChannelGraph,
  channelGraph,
  type ChannelGraphOptions,
  keepsScale,
} from './channel-graph.js'
export type { ChannelIds, Pinned } from './channel-ids.js'
export type { ChannelLayer, ChannelVector } from './channel-layers.js'
export type { ChannelRow, ChannelRule, RuleContext } from './channel-rule.js'
export {
  type ChannelScales,
  raiseRanges,
  type ScaledLayer,
  scaledLayers,
  writeScales,
} from './channel-scales.js'
export { CHANNEL_TABLE } from './channel-table.js'
export type { AxisChannels, ChannelValue, PlacedChannels } from './channel-value.js'
