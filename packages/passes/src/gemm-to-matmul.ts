// Gemm becomes MatMul + Add: onnxruntime has integer MatMul kernels with dynamic activations, but
// no such Gemm. Rules:
// 1. alpha and beta are 1 (normalizeGemm), transA is 0.
// 2. With transB 1, B is a constant and is transposed here.
// 3. C, where there is one, is added; it broadcasts to the product as Gemm defines it.
import {
  defineRewrite,
  floatAttribute,
  type GraphEditor,
  type GraphIndex,
  intAttribute,
  type Miss,
  miss,
  type Node,
  type NodeSpec,
  type Pass,
  rewritePass,
} from '@pare/graph'
import { storedArray, type Tensor, tensorFromStored } from '@pare/tensor'

export function gemmToMatMul(): Pass {
  return rewritePass(rule)
}

interface GemmMatch {
  readonly node: Node
  readonly transB: boolean
}

const rule = defineRewrite<GemmMatch>({
  name: 'gemm_to_matmul',
  opTypes: ['Gemm'],
  match,
  rewrite,
})

function match(node: Node, index: GraphIndex): GemmMatch | Miss {
  if (floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1) {
    return miss('gemm_scaled', 'Gemm has an alpha or beta that could not be folded')
  }
  if (intAttribute(node, 'transA', 0) === 1) {
    return miss('gemm_transposes_a', 'Gemm transposes its input')
  }
  const transB = intAttribute(node, 'transB', 0) === 1
  if (transB && index.constant(node.inputs[1] ?? '') === undefined) {
    return miss('gemm_transposes_b', 'Gemm transposes a weight that is not a constant')
  }
  return { node, transB }
}

function rewrite({ node, transB }: GemmMatch, editor: GraphEditor): void {
  const [a = '', b = '', c = ''] = node.inputs
  const weight = transB ? editor.addInitializer(b, transposed(editor.constant(b)!)) : b
  const name = node.name === '' ? 'MatMul' : node.name
  if (c === '') {
    editor.replaceNode(node, { opType: 'MatMul', inputs: [a, weight], name })
    return
  }
  const product = editor.uniqueName(`${node.outputs[0]!}_product`)
  const specs: NodeSpec[] = [
    { opType: 'MatMul', inputs: [a, weight], outputs: [product], name },
    { opType: 'Add', inputs: [product, c], name: `${name}_bias` },
  ]
  editor.replaceNode(node, specs)
}

/** A matrix [rows, columns] as [columns, rows]. */
export function transposed(tensor: Tensor): Tensor {
  const [rows = 1, columns = 1] = tensor.dims
  const source = storedArray(tensor)
  const target = source.slice()
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) target[j * rows + i] = source[i * columns + j]!
  }
  return tensorFromStored(tensor.dataType, [columns, rows], target)
}
