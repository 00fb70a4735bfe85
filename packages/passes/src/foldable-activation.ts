// Relu and Clip only cut values off, and so does quantization: when the producer's output is
// quantized with the activation's range, the node itself is superfluous. Who quantizes decides;
// this says where it would be right.
import { floatAttribute, type GraphIndex, type Node } from '@pare/graph'
import { toFloat32 } from '@pare/tensor'

export interface FoldableActivation {
  readonly node: Node
  /** The value before the activation; only the activation reads it. */
  readonly input: string
  readonly output: string
  readonly min: number
  readonly max: number
}

/**
 * The activation that alone reads `value`, when it is a Relu or a Clip with constant bounds and the
 * value is made by a node and is no graph output. To fold it, the node before it makes `output`, in
 * a quantized range within [min, max].
 */
export function foldableActivation(
  value: string,
  index: GraphIndex,
): FoldableActivation | undefined {
  const [node, ...others] = index.consumers(value)
  if (node === undefined || others.length > 0 || node.domain !== '') return undefined
  if (index.isGraphOutput(value) || index.producer(value) === undefined) return undefined
  // A Clip may read the value as a bound.
  if (node.inputs[0] !== value || node.inputs.includes(value, 1)) return undefined
  const bounds = activationBounds(node, index)
  if (bounds === undefined) return undefined
  return { node, input: value, output: node.outputs[0] ?? '', ...bounds }
}

function activationBounds(
  node: Node,
  index: GraphIndex,
): { readonly min: number; readonly max: number } | undefined {
  if (node.opType === 'Relu') return { min: 0, max: Infinity }
  if (node.opType !== 'Clip') return undefined
  const min = clipBound(node, index, { input: 1, attribute: 'min', absent: -Infinity })
  const max = clipBound(node, index, { input: 2, attribute: 'max', absent: Infinity })
  return min === undefined || max === undefined ? undefined : { min, max }
}

/** From the input (opset 11) or the attribute (before); undefined when it is not constant. */
function clipBound(
  node: Node,
  index: GraphIndex,
  bound: { readonly input: number; readonly attribute: string; readonly absent: number },
): number | undefined {
  const name = node.inputs[bound.input] ?? ''
  if (name === '') return floatAttribute(node, bound.attribute, bound.absent)
  const tensor = index.constant(name)
  return tensor === undefined ? undefined : toFloat32(tensor)[0]
}
