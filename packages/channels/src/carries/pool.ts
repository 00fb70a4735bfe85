// Channels through pooling, which moves a window over all axes from the third on.
import { type ChannelRule, layoutUnknown } from '../channel-rule.js'
import { soleChannels } from '../channel-value.js'

export const window: ChannelRule = (node, context) => {
  const value = context.of(node.inputs[0] ?? '')
  if (value === undefined) return undefined
  const channels = soleChannels(value)
  if (channels?.rank === undefined || channels.axis !== 1 - channels.rank) {
    return layoutUnknown(node)
  }
  context.set(node.outputs[0]!, value)
  return undefined
}

/** The second output of MaxPool counts through all channels. */
export const windowWithoutIndices: ChannelRule = (node, context) =>
  (node.outputs[1] ?? '') === '' ? window(node, context) : layoutUnknown(node)
