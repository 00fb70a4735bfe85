// Factors per channel at normalizations.
import type { NormAxis } from '../carries/norm.js'
import type { ChannelRule } from '../channel-rule.js'
import { channelValue } from '../channel-value.js'

/** Normalizes, then multiplies by a constant per channel and adds another. */
export function scalesNorm(axisOf: NormAxis): ChannelRule {
  return (node, context) => {
    context.pin(node.inputs[0] ?? '', {
      code: 'not_homogeneous',
      message: `${node.opType} reads the value, and no factor passes through it`,
    })
    const axis = axisOf(node, context)
    const positions = [1, 2].filter((position) => (node.inputs[position] ?? '') !== '')
    const tensors = positions.map((position) => context.index.constant(node.inputs[position]!))
    const count = tensors[0]?.dims[0]
    const areVectors = tensors.every(
      (tensor) =>
        tensor?.dataType === 'float32' && tensor.dims.length === 1 && tensor.dims[0] === count,
    )
    if (axis === undefined || count === undefined || !areVectors) return undefined
    const ids = context.ids.allocate(count)
    for (const [i, position] of positions.entries()) {
      const vector = { node, position, tensor: tensors[i]!, axis: -1, isDivisor: false }
      context.addVector({ ...vector, timesIds: undefined, overIds: ids })
    }
    const rank = context.rankOf(node.inputs[0] ?? '')
    context.set(node.outputs[0]!, channelValue({ ids, axis, rank, isSpread: false }))
    return undefined
  }
}
