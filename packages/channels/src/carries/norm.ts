// Channels through normalizations: constants with one value per channel lose theirs with it.
import { intAttribute, type Node } from '@pare/graph'

import type { Pinned } from '../channel-ids.js'
import type { ChannelRule, RuleContext } from '../channel-rule.js'
import { placedChannels } from '../channel-value.js'

/** The axis from the end, on which a normalization has its constants; undefined: not known. */
export type NormAxis = (node: Node, context: RuleContext) => number | undefined

/** Of LayerNormalization and its like, where they normalize the last axis alone. */
export const lastAxis: NormAxis = (node, context) => {
  const axis = intAttribute(node, 'axis', -1)
  return axis === -1 || axis + 1 === context.rankOf(node.inputs[0] ?? '') ? -1 : undefined
}

/** Of BatchNormalization and InstanceNormalization: axis 1. */
export const secondAxis: NormAxis = (node, context) => {
  const rank = context.rankOf(node.inputs[0] ?? '')
  return rank === undefined || intAttribute(node, 'training_mode', 0) !== 0 ? undefined : 1 - rank
}

export function carriesNorm(axisOf: NormAxis): ChannelRule {
  return (node, context) => {
    const [input = '', ...parameters] = node.inputs
    const value = context.of(input)
    if (value === undefined) return undefined
    const axis = axisOf(node, context)
    const problem: Pinned = {
      code: 'layout_unknown',
      message: `${node.opType} has no constant per channel`,
    }
    if (axis === undefined) return problem
    const along = placedChannels(value).find((placed) => placed.axis === axis)
    for (const [i, name] of along === undefined ? [] : parameters.entries()) {
      const tensor = context.index.constant(name)
      if (name === '') continue
      if (along!.isSpread || tensor?.dims.length !== 1 || tensor.dims[0] !== along!.ids.length) {
        return problem
      }
      const vector = { node, position: i + 1, tensor, axis: -1, isDivisor: false }
      context.addVector({ ...vector, timesIds: undefined, overIds: along!.ids })
    }
    context.set(node.outputs[0]!, value)
    return undefined
  }
}
