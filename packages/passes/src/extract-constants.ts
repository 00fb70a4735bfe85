// Rules:
// 1. The output of a Constant node with a dense value becomes an initializer; the node goes.
// 2. A Constant that is a graph output stays: an output is not an initializer.
// 3. Sparse constants stay, with a diagnostic.
import {
  defineRewrite,
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  miss,
  type Node,
  type Pass,
  rewritePass,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
} from '@pare/graph'
import { type Tensor, tensorFromFloat32, tensorFromInts, tensorFromStrings } from '@pare/tensor'

export function extractConstants(): Pass {
  return rewritePass(rule)
}

interface ConstantMatch {
  readonly node: Node
  readonly output: string
  readonly tensor: Tensor
}

const rule = defineRewrite<ConstantMatch>({
  name: 'extract_constants',
  opTypes: ['Constant'],
  match: (node, index) => {
    const [output] = node.outputs
    if (output === undefined || index.isGraphOutput(output)) return undefined
    const tensor = constantValue(node)
    if (tensor === undefined) return miss('sparse_constant', 'a sparse constant stays as it is')
    return { node, output, tensor }
  },
  rewrite: ({ node, output, tensor }, editor) => {
    editor.replaceUses(output, editor.addInitializer(output, tensor))
    editor.removeNode(node)
  },
})

/** The tensor of a Constant node in any of its attribute forms (opset 12). */
function constantValue(node: Node): Tensor | undefined {
  const tensor = tensorAttribute(node, 'value')
  if (tensor !== undefined) return tensor
  const float = floatAttribute(node, 'value_float')
  if (float !== undefined) return tensorFromFloat32([], Float32Array.of(float))
  const floats = floatsAttribute(node, 'value_floats')
  if (floats !== undefined) return tensorFromFloat32([floats.length], Float32Array.from(floats))
  const int = intAttribute(node, 'value_int')
  if (int !== undefined) return tensorFromInts('int64', [], [int])
  const ints = intsAttribute(node, 'value_ints')
  if (ints !== undefined) return tensorFromInts('int64', [ints.length], ints)
  const text = stringAttribute(node, 'value_string')
  if (text !== undefined) return tensorFromStrings([], [text])
  const texts = stringsAttribute(node, 'value_strings')
  return texts === undefined ? undefined : tensorFromStrings([texts.length], texts)
}
