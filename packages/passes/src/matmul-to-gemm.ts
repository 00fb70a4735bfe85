// MatMul by a constant matrix, with the bias that follows it, becomes one Gemm: a layer with its
// bias, which passes fold into and quantizers know. Rules:
// 1. B is a constant of rank 2 and A is known to have rank 2 (Gemm knows no more).
// 2. The product is read only by an Add of a constant that broadcasts to [M, N] along N.
// 3. A product that only a BatchNormalization reads becomes a Gemm without bias, to be folded into.
// 4. Every other MatMul stays.
import {
  defineRewrite,
  type GraphEditor,
  type GraphIndex,
  type Miss,
  miss,
  type Node,
  type Pass,
  rewritePass,
  sequence,
} from '@pare/graph'

import { NO_SHAPES, rankOf, type ValueShapes } from './value-types.js'

export interface MatMulToGemmOptions {
  /** Ranks of values, where the file does not declare them. */
  readonly shapes?: ValueShapes
}

interface MatMulMatch {
  readonly add: Node
  readonly product: Node
  readonly bias: string
}

export function matMulToGemm({ shapes = NO_SHAPES }: MatMulToGemmOptions = {}): Pass {
  const withBias = defineRewrite<MatMulMatch>({
    name: 'matmul_and_add_to_gemm',
    opTypes: ['Add'],
    match: (node, index) => matchAdd(node, index, shapes),
    rewrite: joinBias,
  })
  const beforeBatchNorm = defineRewrite<{ readonly product: Node }>({
    name: 'matmul_before_batch_norm_to_gemm',
    opTypes: ['MatMul'],
    match: (node, index) => matchBatchNorm(node, index, shapes),
    rewrite: ({ product }, editor) => {
      const name = product.name === '' ? 'Gemm' : product.name
      editor.replaceNode(product, { opType: 'Gemm', inputs: product.inputs, name })
    },
  })
  return sequence('matmul_to_gemm', [rewritePass(withBias), rewritePass(beforeBatchNorm)])
}

function matchBatchNorm(
  product: Node,
  index: GraphIndex,
  shapes: ValueShapes,
): { readonly product: Node } | undefined {
  const [output = ''] = product.outputs
  const readers = index.consumers(output)
  const [a = '', b = ''] = product.inputs
  const isMatrixProduct = index.constant(b)?.dims.length === 2 && rankOf(a, index, shapes) === 2
  const isRead = readers.length === 1 && readers[0]?.opType === 'BatchNormalization'
  return isMatrixProduct && isRead && !index.isGraphOutput(output) ? { product } : undefined
}

function matchAdd(
  add: Node,
  index: GraphIndex,
  shapes: ValueShapes,
): MatMulMatch | Miss | undefined {
  const [left = '', right = ''] = add.inputs
  const [value, bias] = index.constant(right) !== undefined ? [left, right] : [right, left]
  const product = index.producer(value)
  const constant = index.constant(bias)
  if (product?.opType !== 'MatMul' || product.domain !== '' || constant === undefined) {
    return undefined
  }
  const weight = index.constant(product.inputs[1] ?? '')
  if (weight?.dims.length !== 2) return undefined
  if (index.consumers(value).length !== 1 || index.isGraphOutput(value)) {
    return miss('product_shared', 'the product is read elsewhere too, so its bias stays apart')
  }
  const rank = rankOf(product.inputs[0] ?? '', index, shapes)
  if (rank === undefined) return miss('rank_unknown', 'the rank of the input of MatMul is unknown')
  if (rank !== 2 || !isRow(constant.dims, weight.dims[1] ?? 0)) return undefined
  return { add, product, bias }
}

/** Whether a shape broadcasts to [M, N] without depending on M. */
function isRow(dims: readonly number[], columns: number): boolean {
  const last = dims.at(-1) ?? 1
  return dims.length <= 2 && (dims.length < 2 || dims[0] === 1) && (last === 1 || last === columns)
}

function joinBias({ add, product, bias }: MatMulMatch, editor: GraphEditor): void {
  const [a = '', b = ''] = product.inputs
  const name = product.name === '' ? 'Gemm' : product.name
  editor.removeNode(product)
  editor.replaceNode(add, { opType: 'Gemm', inputs: [a, b, bias], name })
}
