// Channels through operators that compute each element from the elements at the same place.
import type { Node } from '@pare/graph'

import type { Pinned } from '../channel-ids.js'
import type { ChannelRule, RuleContext } from '../channel-rule.js'
import {
  areAlike,
  type ChannelValue,
  channelValue,
  type PlacedChannels,
  placedChannels,
} from '../channel-value.js'

/** Of the first input; what else the node reads has no channels. */
export const elementwise: ChannelRule = (node, context) => {
  const value = context.of(node.inputs[0] ?? '')
  if (value !== undefined) context.set(node.outputs[0]!, value)
  return undefined
}

/** Looks at the shape alone. */
export const shapeOnly: ChannelRule = () => undefined

/** Of inputs that broadcast against each other: channels at the same place go together. */
export const broadcast: ChannelRule = (node, context) => {
  const carried = new Map<number, PlacedChannels>()
  for (const input of node.inputs) {
    for (const channels of placedChannels(context.of(input))) {
      if (!carried.has(channels.axis)) carried.set(channels.axis, channels)
    }
  }
  for (const channels of carried.values()) {
    const isTied = node.inputs.every((_, position) => tie(node, context, { position, channels }))
    if (isTied) continue
    carried.delete(channels.axis)
    for (const input of node.inputs) pinAxis(context, context.of(input), channels.axis, node)
  }
  const [first, ...others] = [...carried.values()].map((channels) => ({
    ...channels,
    rank: broadcastRank(node, context),
  }))
  if (first !== undefined) context.set(node.outputs[0]!, channelValue(first, ...others))
  return undefined
}

interface Tie {
  /** Of the input that is tied to the channels. */
  readonly position: number
  readonly channels: PlacedChannels
}

/** False where the input has something else at the place of the channels. */
function tie(node: Node, context: RuleContext, { position, channels }: Tie): boolean {
  const name = node.inputs[position] ?? ''
  const { axis, ids } = channels
  const own = placedChannels(context.of(name)).find((placed) => placed.axis === axis)
  if (own !== undefined) {
    if (!areAlike(own, channels)) return false
    context.ids.unite(ids, own.ids)
    return true
  }
  const tensor = context.index.constant(name)
  const size = tensor === undefined ? sizeOf(context, name, axis) : (tensor.dims.at(axis) ?? 1)
  if (size === 1 || name === '') return true
  if (tensor === undefined || channels.isSpread || size !== ids.length) return false
  context.addVector({
    ...{ node, position, tensor, axis },
    timesIds: undefined,
    overIds: ids,
    isDivisor: false,
  })
  return true
}

/** Undefined where the shape is not known. */
function sizeOf(context: RuleContext, value: string, axis: number): number | undefined {
  const dims = context.shapeOf(value)
  return dims === undefined ? undefined : (dims.at(axis) ?? 1)
}

function broadcastRank(node: Node, context: RuleContext): number | undefined {
  const ranks = node.inputs.map(
    (input) => context.index.constant(input)?.dims.length ?? context.rankOf(input),
  )
  const known = ranks.filter((rank) => rank !== undefined)
  return known.length < ranks.length ? undefined : Math.max(...known)
}

function pinAxis(
  context: RuleContext,
  value: ChannelValue | undefined,
  axis: number,
  { opType }: Node,
): void {
  const ids = value?.axes.get(axis)?.ids
  const reason: Pinned = {
    code: 'operand_not_tied',
    message: `${opType} combines the value with one whose channels are not known`,
  }
  if (ids !== undefined) context.ids.pin(ids, reason)
}
