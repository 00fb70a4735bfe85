// MatMul followed by Add of a constant vector. onnxruntime turns that into Gemm before it looks at
// Q/DQ, and a Gemm with a float bias has no integer kernel. So the pair becomes a Gemm here, where
// the bias can be quantized with it, or is written so that onnxruntime leaves the two apart.
import {
  editGraph,
  type GraphEditor,
  type GraphIndex,
  indexGraph,
  type Model,
  type Node,
} from '@pare/graph'
import type { Tensor } from '@pare/tensor'

/** Number of dimensions of a value, where it is known. */
export type RankOf = (value: string) => number | undefined

interface BiasedMatMul {
  readonly matMul: Node
  readonly add: Node
  readonly biasName: string
  readonly bias: Tensor
}

/**
 * 1. Rank 2: MatMul + Add becomes Gemm under the Add's name.
 * 2. Higher rank in a model of fixed shapes (where onnxruntime would flatten to a Gemm): the bias
 *    gets leading dimensions of 1, which adds the same and is no Gemm bias.
 */
export function settleMatMulBias(
  model: Model,
  rankOf: RankOf,
  isWanted: (node: Node) => boolean,
): Model {
  const index = indexGraph(model.graph)
  const pairs = model.graph.nodes
    .filter((node) => node.opType === 'MatMul' && node.domain === '' && isWanted(node))
    .map((node) => biasedMatMul(node, index))
    .filter((pair) => pair !== undefined)
  if (pairs.length === 0) return model
  const editor = editGraph(model)
  const fixed = hasFixedShapes(model)
  for (const pair of pairs) {
    const rank = rankOf(pair.matMul.inputs[0]!)
    if (rank === 2) toGemm(editor, pair)
    else if (rank !== undefined && rank > 2 && fixed) liftBias(editor, pair, rank)
  }
  return editor.finish()
}

function biasedMatMul(matMul: Node, index: GraphIndex): BiasedMatMul | undefined {
  const weight = index.constant(matMul.inputs[1]!)
  const [output] = matMul.outputs
  const [add, ...others] = index.consumers(output!)
  if (weight?.dims.length !== 2 || weight.dataType !== 'float32') return undefined
  if (add?.opType !== 'Add' || others.length > 0 || index.isGraphOutput(output!)) return undefined
  const biasName = add.inputs.find((input) => input !== output)
  const bias = biasName === undefined ? undefined : index.constant(biasName)
  if (biasName === undefined || bias?.dataType !== 'float32') return undefined
  const isVector = bias.dims.length === 1 && bias.dims[0] === weight.dims[1]
  return isVector ? { matMul, add, biasName, bias } : undefined
}

function toGemm(editor: GraphEditor, { matMul, add, biasName }: BiasedMatMul): void {
  editor.replaceNode(add, {
    opType: 'Gemm',
    name: matMul.name,
    inputs: [...matMul.inputs, biasName],
  })
  editor.removeNode(matMul)
}

function liftBias(editor: GraphEditor, { add, biasName, bias }: BiasedMatMul, rank: number): void {
  const dims = [...new Array<number>(rank - 1).fill(1), ...bias.dims]
  const lifted = editor.addInitializer(biasName, { ...bias, dims })
  editor.setInput(add, add.inputs.indexOf(biasName), lifted)
}

function hasFixedShapes(model: Model): boolean {
  return model.graph.inputs.every((input) => {
    if (model.graph.initializers.has(input.name)) return true
    const shape = input.type?.kind === 'tensor' ? input.type.shape : undefined
    return shape?.every((dimension) => dimension.size !== undefined) ?? false
  })
}
