// Factors per channel through functions that pass every one of them.
import type { ChannelRule } from '../channel-rule.js'

/** f(s · x) = s · f(x) for every s > 0, elementwise. Further inputs keep their scale. */
export const homogeneous: ChannelRule = (node, context) => {
  const channels = context.of(node.inputs[0] ?? '')
  for (const value of node.inputs.slice(1)) {
    context.pin(value, { code: 'not_homogeneous', message: `it is a parameter of ${node.opType}` })
  }
  if (channels !== undefined) context.set(node.outputs[0]!, channels)
  return undefined
}
