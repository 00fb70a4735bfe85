// Channels through Concat.
import { intAttribute, type Node } from '@pare/graph'

import type { Pinned } from '../channel-ids.js'
import type { ChannelRule, RuleContext } from '../channel-rule.js'
import { areAlike, channelValue, type PlacedChannels, placedChannels } from '../channel-value.js'

/** Along the axis that is joined the lists of channels are; along another one they go together. */
export const concat: ChannelRule = (node, context) => {
  const values = node.inputs.map((input) => context.of(input))
  const axes = new Set(values.flatMap((value) => [...(value?.axes.keys() ?? [])]))
  const joined: PlacedChannels[] = []
  const problem: Pinned = {
    code: 'operand_not_scalable',
    message: 'Concat combines the value with one that cannot be scaled alike',
  }
  for (const axis of axes) {
    const parts = values.flatMap((value) =>
      placedChannels(value).filter((placed) => placed.axis === axis),
    )
    const result = parts.length < values.length ? undefined : joinParts(node, context, parts)
    if (result !== undefined) joined.push(result)
    else for (const { ids } of parts) context.ids.pin(ids, problem)
  }
  const [first, ...others] = joined
  if (first === undefined) return problem
  context.set(node.outputs[0]!, channelValue(first, ...others))
  return undefined
}

/** Of one axis; undefined where they do not fit together. */
function joinParts(
  node: Node,
  { ids }: RuleContext,
  parts: readonly PlacedChannels[],
): PlacedChannels | undefined {
  const [first, ...others] = parts
  const axis = intAttribute(node, 'axis', 0)
  if (first === undefined || (axis >= 0 && first.rank === undefined)) return undefined
  if (parts.some(({ isSpread }) => isSpread)) return undefined
  const isAlong = (axis < 0 ? axis : axis - first.rank!) === first.axis
  for (const part of others) {
    if (isAlong) ids.gather(first.ids, part.ids)
    else if (areAlike(first, part)) ids.unite(first.ids, part.ids)
    else return undefined
  }
  if (!isAlong) return first
  return { ...first, ids: Int32Array.from(parts.flatMap((part) => [...part.ids])) }
}
