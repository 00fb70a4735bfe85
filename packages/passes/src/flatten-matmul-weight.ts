// A MatMul's weight [1, …, K, N] becomes a matrix: onnxruntime's integer kernels know a scale per
// column of a matrix only, and refuse to run with others. Rules:
// 1. B is a constant of rank 3 or more whose leading dimensions are all 1.
// 2. A is known to have at least its rank: else B lends its rank to the product.
// 3. Nothing but such products reads B: a copy beside it would make the model larger.
import {
  defineRewrite,
  type GraphEditor,
  type GraphIndex,
  type Node,
  type Pass,
  rewritePass,
} from '@pare/graph'
import type { Tensor } from '@pare/tensor'

import { NO_SHAPES, rankOf, type ValueShapes } from './value-types.js'

export interface FlattenMatMulWeightOptions {
  /** Ranks of values, where the file does not declare them. */
  readonly shapes?: ValueShapes
}

interface WeightMatch {
  readonly weight: string
  readonly matrix: Tensor
  readonly readers: readonly Node[]
}

export function flattenMatMulWeight({ shapes = NO_SHAPES }: FlattenMatMulWeightOptions = {}): Pass {
  return rewritePass(
    defineRewrite<WeightMatch>({
      name: 'flatten_matmul_weight',
      opTypes: ['MatMul'],
      match: (node, index) => match(node, index, shapes),
      rewrite,
    }),
  )
}

function match(node: Node, index: GraphIndex, shapes: ValueShapes): WeightMatch | undefined {
  const weight = node.inputs[1] ?? ''
  const tensor = index.constant(weight)
  if (node.domain !== '' || tensor === undefined || index.isGraphOutput(weight)) return undefined
  const { dims } = tensor
  if (dims.length < 3 || dims.slice(0, -2).some((size) => size !== 1)) return undefined
  const readers = index.consumers(weight)
  const isProduct = ({ domain, opType, inputs: [a = '', b] }: Node) =>
    domain === '' &&
    opType === 'MatMul' &&
    b === weight &&
    a !== weight &&
    (rankOf(a, index, shapes) ?? 0) >= dims.length
  if (!readers.every(isProduct)) return undefined
  return { weight, matrix: { ...tensor, dims: dims.slice(-2) }, readers }
}

function rewrite({ weight, matrix, readers }: WeightMatch, editor: GraphEditor): void {
  const name = editor.addInitializer(weight, matrix)
  for (const reader of readers) editor.updateNode(reader, { inputs: [reader.inputs[0]!, name] })
}
