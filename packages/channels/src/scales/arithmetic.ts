// Factors per channel through Add, Sub, Mul and Div, with constants and with other values.
import type { Node } from '@pare/graph'
import { elementCount, type Tensor } from '@pare/tensor'

import type { Pinned } from '../channel-ids.js'
import type { ChannelRule, RuleContext } from '../channel-rule.js'
import { areAlike, channelValue, type PlacedChannels, soleChannels } from '../channel-value.js'

function mismatch({ opType }: Node): Pinned {
  return {
    code: 'operand_not_scalable',
    message: `${opType} combines the value with one that cannot be scaled alike`,
  }
}

interface Operands {
  readonly value: string
  readonly constant: Tensor | undefined
  /** Where the constant stands. */
  readonly position: number
}

function operands(node: Node, context: RuleContext): Operands {
  const [left = '', right = ''] = node.inputs
  const second = context.index.constant(right)
  if (second !== undefined) return { value: left, constant: second, position: 1 }
  return { value: right, constant: context.index.constant(left), position: 0 }
}

/** Rank of what a value and a constant make together. */
function joinedRank(channels: PlacedChannels, constant: Tensor): number | undefined {
  return channels.rank === undefined ? undefined : Math.max(channels.rank, constant.dims.length)
}

/** Ids for a constant's entries along the channel axis; undefined where they do not fit. */
function idsAlong(channels: PlacedChannels, { dims }: Tensor): Int32Array | undefined {
  const { ids, axis, isSpread } = channels
  const size = dims.at(axis) ?? 1
  if (!isSpread) return size === ids.length || (size === 1 && ids.length > 0) ? ids : undefined
  const run = size / ids.length
  if (size === 1 || !Number.isInteger(run)) return undefined
  return Int32Array.from({ length: size }, (_, i) => ids[Math.floor(i / run)]!)
}

/** a ± b: both sides, or the constant, are scaled alike. */
export const add: ChannelRule = (node, context) => {
  const { value, constant, position } = operands(node, context)
  if (constant === undefined) return addValues(node, context)
  const channels = soleChannels(context.of(value))
  if (channels === undefined) return undefined
  const ids = idsAlong(channels, constant)
  if (ids === undefined || constant.dataType !== 'float32') return mismatch(node)
  const vector = { node, position, tensor: constant, axis: channels.axis, isDivisor: false }
  context.addVector({ ...vector, timesIds: undefined, overIds: ids })
  context.set(node.outputs[0]!, channelValue({ ...channels, rank: joinedRank(channels, constant) }))
  return undefined
}

function addValues(node: Node, context: RuleContext): Pinned | undefined {
  const [a, b] = node.inputs.map((input) => soleChannels(context.of(input)))
  if (a === undefined || b === undefined || !areAlike(a, b)) return mismatch(node)
  context.ids.unite(a.ids, b.ids)
  const isRankKnown = a.rank !== undefined && b.rank !== undefined
  context.set(
    node.outputs[0]!,
    channelValue({
      ...a,
      rank: isRankKnown ? Math.max(a.rank, b.rank) : undefined,
    }),
  )
  return undefined
}

export const multiply: ChannelRule = (node, context) => {
  const { value, constant, position } = operands(node, context)
  if (constant !== undefined) return byConstant(node, context, { value, constant, position })
  const [left = '', right = ''] = node.inputs
  if (left === right) return mismatch(node)
  // The factor goes into one side: into that which nothing has pinned so far.
  const isFree = (name: string) => {
    const channels = soleChannels(context.of(name))
    return channels !== undefined && channels.ids.some((id) => !context.ids.pinned(id))
  }
  const [scaled, other] = isFree(left) ? [left, right] : [right, left]
  return byValue(node, context, { scaled, other })
}

export const divide: ChannelRule = (node, context) => {
  const { value, constant, position } = operands(node, context)
  if (constant !== undefined) {
    return position === 0
      ? mismatch(node)
      : byConstant(node, context, { value, constant, position })
  }
  const [scaled = '', other = ''] = node.inputs
  return scaled === other ? mismatch(node) : byValue(node, context, { scaled, other })
}

function byValue(
  node: Node,
  context: RuleContext,
  { scaled, other }: { readonly scaled: string; readonly other: string },
): Pinned | undefined {
  context.pin(other, mismatch(node))
  const channels = soleChannels(context.of(scaled))
  if (channels === undefined) return undefined
  // One channel may be broadcast to many.
  if (channels.ids.length === 1 || channels.isSpread) return mismatch(node)
  const [rank, otherRank] = [channels.rank, context.rankOf(other)]
  const isRankKnown = rank !== undefined && otherRank !== undefined
  context.set(
    node.outputs[0]!,
    channelValue({
      ...channels,
      rank: isRankKnown ? Math.max(rank, otherRank) : context.rankOf(node.outputs[0]!),
    }),
  )
  return undefined
}

/** x · c or x / c: a vector over the channels takes factors from both sides. */
function byConstant(
  node: Node,
  context: RuleContext,
  { value, constant, position }: Operands & { readonly constant: Tensor },
): Pinned | undefined {
  const output = node.outputs[0]!
  const channels = soleChannels(context.of(value))
  const axis = channels === undefined ? onlyAxis(constant) : channels.axis
  const size = axis === undefined ? 1 : (constant.dims.at(axis) ?? 1)
  if (channels !== undefined && size === 1) {
    // A scalar is left alone: it may be part of a pattern that the runtime knows, such as GELU.
    context.set(output, channelValue({ ...channels, rank: joinedRank(channels, constant) }))
    return undefined
  }
  const isVector = size > 1 && constant.dataType === 'float32'
  if (axis === undefined || !isVector) return channels === undefined ? undefined : mismatch(node)
  const isFit = channels === undefined || (!channels.isSpread && channels.ids.length === size)
  if (!isFit) return mismatch(node)
  const ids = context.ids.allocate(size)
  context.addVector({
    ...{ node, position, tensor: constant, axis },
    timesIds: channels?.ids,
    overIds: ids,
    isDivisor: node.opType === 'Div',
  })
  const rank = channels === undefined ? context.rankOf(output) : joinedRank(channels, constant)
  context.set(output, channelValue({ ids, axis, rank, isSpread: false }))
  return undefined
}

/** The one axis along which a constant differs, from the end. */
function onlyAxis({ dims }: Tensor): number | undefined {
  const at = dims.findIndex((size) => size > 1)
  return at >= 0 && elementCount(dims) === dims[at] ? at - dims.length : undefined
}
