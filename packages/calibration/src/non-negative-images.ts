// Values that pooling reduces in onnxruntime's blocked layout (NCHWc), which convolutions work in on
// CPUs. ReduceMin, ReduceMax and ReduceSum have no kernel for it, so that the whole tensor is put back
// into rows first: that takes longer than the convolution itself where channels are many.
import { type GraphIndex, indexGraph, type Model, type Node } from '@pare/graph'
import { opSet } from '@pare/ops'
import { toNumbers } from '@pare/tensor'

/** Operators whose output has the dimensions of the first input, but for sizes. */
const KEEPS_RANK = opSet(
  'Relu',
  'Clip',
  'LeakyRelu',
  'PRelu',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'BatchNormalization',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Concat',
  'InstanceNormalization',
  'Pad',
  'Resize',
)

/** Operators that have no negative output where no input is negative. */
const KEEPS_SIGN = opSet(
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Concat',
  'Identity',
  'Add',
)

const NEVER_NEGATIVE = opSet('Relu', 'Sigmoid', 'HardSigmoid')

/**
 * The float32 values of four dimensions (samples, channels, height, width) behind convolutions that
 * cannot be negative, by what the operators say; others may be so too.
 */
export function nonNegativeImages({ graph }: Model): ReadonlySet<string> {
  const index = indexGraph(graph)
  const images = new Set<string>()
  const nonNegative = new Set<string>()
  for (const node of graph.nodes) {
    const [output] = node.outputs
    if (output === undefined || node.domain !== '') continue
    if (isImage(node, images, index)) images.add(output)
    if (isNonNegative(node, nonNegative, index)) nonNegative.add(output)
  }
  return new Set([...images].filter((value) => nonNegative.has(value)))
}

function isImage(node: Node, images: ReadonlySet<string>, index: GraphIndex): boolean {
  const [first, second] = node.inputs
  if (node.opType === 'Conv') {
    const weight = index.constant(second ?? '')
    return weight?.dataType === 'float32' && weight.dims.length === 4
  }
  if (node.opType === 'Add') return node.inputs.every((input) => images.has(input))
  return KEEPS_RANK.has(node.opType) && images.has(first ?? '')
}

function isNonNegative(node: Node, nonNegative: ReadonlySet<string>, index: GraphIndex): boolean {
  if (NEVER_NEGATIVE.has(node.opType)) return true
  if (node.opType === 'Clip') return leastOf(node, index) === 0
  return KEEPS_SIGN.has(node.opType) && node.inputs.every((input) => nonNegative.has(input))
}

/** What a Clip lets through at least; an attribute before opset 11. */
function leastOf({ inputs, attributes }: Node, index: GraphIndex): number | undefined {
  const least = index.constant(inputs[1] ?? '')
  if (least !== undefined) return Number(toNumbers(least)[0])
  const attribute = attributes.get('min')
  return attribute?.type === 'float' ? attribute.value : undefined
}
