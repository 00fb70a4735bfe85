// Factors per channel through Clip.
import { floatAttribute, type Node } from '@pare/graph'
import { toFloat32 } from '@pare/tensor'

import type { Pinned } from '../channel-ids.js'
import type { ChannelRule, RuleContext } from '../channel-rule.js'
import { channelValue, soleChannels } from '../channel-value.js'

/**
 * Bounds of 0 and infinity pass every factor. Another upper bound passes it where the channel was
 * never seen to reach the bound, and as long as it does not with the factor.
 */
export const clip: ChannelRule = (node, context) => {
  const output = node.outputs[0]!
  const channels = soleChannels(context.of(node.inputs[0] ?? ''))
  if (channels === undefined) return undefined
  const min = clipBound(node, context, { input: 1, name: 'min', absent: -Infinity })
  const max = clipBound(node, context, { input: 2, name: 'max', absent: Infinity })
  const reason: Pinned = {
    code: 'clip_bounds',
    message: `${node.opType} bounds all channels alike`,
  }
  if (min === undefined || max === undefined) return reason
  if (min !== 0 && min !== -Infinity) return reason
  context.set(output, channelValue(channels))
  if (max === 0 || max >= FLOAT_MAX) return undefined
  const maxima = context.clipMaxima(output)
  if (maxima?.length !== channels.ids.length || max < 0 || channels.isSpread) {
    if (max > 0) context.blockClip(output, channels)
    context.pin(output, reason)
    return undefined
  }
  for (const [i, id] of channels.ids.entries()) {
    if (maxima[i]! < max * BOUND_MARGIN)
      context.ids.raiseFloor(id, maxima[i]! / (max * BOUND_MARGIN))
    else context.ids.pin([id], reason)
  }
  return undefined
}

/** Exporters write the greatest float32 for no bound. */
const FLOAT_MAX = 3.4e38
/** A channel comes no nearer to the bound than this part of it. */
const BOUND_MARGIN = 0.98

function clipBound(
  node: Node,
  { index }: RuleContext,
  bound: { readonly input: number; readonly name: string; readonly absent: number },
): number | undefined {
  const name = node.inputs[bound.input] ?? ''
  const value =
    name === ''
      ? floatAttribute(node, bound.name, bound.absent)
      : (() => {
          const tensor = index.constant(name)
          return tensor === undefined ? undefined : toFloat32(tensor)[0]
        })()
  return value !== undefined && value <= -FLOAT_MAX ? -Infinity : value
}
