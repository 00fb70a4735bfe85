// Channels through operators that move values: their axis follows.
import {
  type GraphIndex,
  intAttribute,
  intsAttribute,
  type Node,
  stringAttribute,
} from '@pare/graph'
import { toFloat32, toIntegers } from '@pare/tensor'

import { type ChannelRule, layoutUnknown, type RuleContext } from '../channel-rule.js'
import { channelValue, type PlacedChannels, placedChannels } from '../channel-value.js'

/** A rule of one input, for each of its axes that has channels; undefined: they get lost. */
function moving(
  to: (channels: PlacedChannels, node: Node, context: RuleContext) => PlacedChannels | undefined,
): ChannelRule {
  return (node, context) => {
    const before = placedChannels(context.of(node.inputs[0] ?? ''))
    const after: PlacedChannels[] = []
    const lost: PlacedChannels[] = []
    for (const channels of before) {
      const result = to(channels, node, context)
      const isFree = after.every(({ axis }) => axis !== result?.axis)
      if (result !== undefined && isFree) after.push(result)
      else lost.push(channels)
    }
    const [first, ...others] = after
    if (first === undefined) return before.length === 0 ? undefined : layoutUnknown(node)
    for (const { ids } of lost) context.ids.pin(ids, layoutUnknown(node))
    context.set(node.outputs[0]!, channelValue(first, ...others))
    return undefined
  }
}

/** Position of the channels from the front; undefined where the rank is unknown. */
function position({ rank, axis }: PlacedChannels): number | undefined {
  return rank === undefined ? undefined : rank + axis
}

function constantInts(node: Node, input: number, index: GraphIndex): readonly number[] | undefined {
  const tensor = index.constant(node.inputs[input] ?? '')
  return tensor === undefined ? undefined : [...toIntegers(tensor)].map(Number)
}

/** [N, C, …] → [N, C · …]. */
export const flatten = moving((channels, node) => {
  if (intAttribute(node, 'axis', 1) !== 1 || position(channels) !== 1) return undefined
  return flattened(channels)
})

function flattened(channels: PlacedChannels): PlacedChannels {
  const isSpread = channels.isSpread || channels.rank !== 2
  return { ...channels, axis: -1, rank: 2, isSpread }
}

/**
 * Known are: the channels last before and after; [N, C, …] → [N, rest] and → [N, C, rest…], where the
 * first dimension is copied (0), or the shapes show that it is.
 */
export const reshape = moving((channels, node, context) => {
  const shape = constantInts(node, 1, context.index)
  if (shape === undefined || intAttribute(node, 'allowzero', 0) !== 0) return undefined
  const { ids, axis, isSpread } = channels
  const rank = shape.length
  if (axis === -1 && !isSpread && shape.at(-1) === ids.length) return { ...channels, rank }
  if (
    position(channels) !== 1 ||
    isSpread ||
    !keepsFirst(node, shape, { context, channels: ids.length })
  )
    return undefined
  if (rank === 2) return flattened(channels)
  const keepsChannels = shape[1] === 0 || shape[1] === ids.length
  return rank > 2 && keepsChannels ? { ...channels, axis: 1 - rank, rank } : undefined
})

function keepsFirst(
  node: Node,
  shape: readonly number[],
  { context, channels }: { readonly context: RuleContext; readonly channels: number },
): boolean {
  if (shape[0] === 0) return true
  const input = node.inputs[0]!
  const producer = context.index.producer(input)
  // All but two dimensions are 1 there, so nothing else can become the second.
  const isPooled = producer?.opType === 'GlobalAveragePool' || producer?.opType === 'GlobalMaxPool'
  if (isPooled && shape.length === 2 && shape[1] === channels) return true
  const [before, after] = [context.shapeOf(input), context.shapeOf(node.outputs[0]!)]
  return before !== undefined && after !== undefined && before[0] === after[0] && before[0]! > 0
}

export const transpose = moving((channels, node) => {
  const perm = intsAttribute(node, 'perm')
  const at = position(channels)
  if (perm === undefined || at === undefined || channels.isSpread) return undefined
  return { ...channels, axis: perm.indexOf(at) - perm.length }
})

/** Over other axes than that of the channels. */
export const reduce = moving((channels, node, { index }) =>
  intAttribute(node, 'keepdims', 1) === 1
    ? dropped(channels, node, index) && channels
    : dropped(channels, node, index),
)

/** Other axes than that of the channels. */
export const squeeze = moving((channels, node, { index }) => dropped(channels, node, index))

/** The channels without the axes that a node names; undefined where theirs is one of them. */
function dropped(
  channels: PlacedChannels,
  node: Node,
  index: GraphIndex,
): PlacedChannels | undefined {
  const { rank, axis } = channels
  const axes = intsAttribute(node, 'axes') ?? constantInts(node, 1, index)
  if (axes === undefined || axes.length === 0 || rank === undefined) return undefined
  const gone = new Set(axes.map((at) => (at < 0 ? at : at - rank)))
  if (gone.has(axis)) return undefined
  const behind = [...gone].filter((at) => at > axis).length
  return { ...channels, axis: axis + behind, rank: rank - gone.size }
}

/** With zeros, or with what is there, along other axes than that of the channels. */
export const pad = moving((channels, node, { index }) => {
  const at = position(channels)
  const pads = intsAttribute(node, 'pads') ?? constantInts(node, 1, index)
  if (at === undefined || pads === undefined || (node.inputs[3] ?? '') !== '') return undefined
  if (pads[at] !== 0 || pads[at + pads.length / 2] !== 0) return undefined
  const name = node.inputs[2] ?? ''
  if (stringAttribute(node, 'mode', 'constant') !== 'constant' || name === '') return channels
  const value = index.constant(name)
  return value !== undefined && toFloat32(value)[0] === 0 ? channels : undefined
})

/** Of other axes than that of the channels: every mode is linear in the values. */
export const resize = moving((channels, node, { index }) => {
  const at = position(channels)
  const mode = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel')
  if (at === undefined || mode === 'tf_crop_and_resize') return undefined
  if (intsAttribute(node, 'axes') !== undefined) return undefined
  const scales = index.constant(node.inputs[2] ?? '')
  if (scales !== undefined && scales.dims[0] !== 0) {
    return toFloat32(scales)[at] === 1 ? channels : undefined
  }
  return constantInts(node, 3, index)?.[at] === channels.ids.length ? channels : undefined
})
