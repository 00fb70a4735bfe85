// MatMul followed by Add. onnxruntime turns that into Gemm before it looks at Q/DQ, and a Gemm with a
// float bias has no integer kernel.
import { type CalibrationStatistics } from '@pare/calibration'
import { editGraph, type GraphIndex, indexGraph, type Model, type Node, runPass } from '@pare/graph'
import { matMulToGemm } from '@pare/passes'
import { elementCount, type Tensor } from '@pare/tensor'

import type { Placement } from '../placement/placement.js'
import { observedShapes } from './ready-model.js'

interface BiasedMatMul {
  readonly add: Node
  readonly biasName: string
  readonly bias: Tensor
  readonly rank: number
}

/**
 * 1. Rank 2: MatMul + Add becomes a Gemm here, where the bias is quantized with it.
 * 2. Higher rank in a model of fixed shapes (where onnxruntime would flatten to a Gemm): the bias
 *    gets leading dimensions of 1, which adds the same and is no Gemm bias.
 * The ranks are those the calibration run saw. Of a branch it is not known whether shapes are fixed: it
 * is treated as if they were.
 */
export function settleMatMulBias(
  model: Model,
  statistics: CalibrationStatistics,
  isBranch = false,
): Model {
  const ranks = Object.entries(statistics.tensors).map(([name, { rank }]) => [name, rank] as const)
  const shapes = observedShapes(statistics)
  const settled = runPass(matMulToGemm({ shapes }), model).model
  return isBranch || hasFixedShapes(settled) ? liftBiases(settled, new Map(ranks)) : settled
}

function liftBiases(model: Model, ranks: ReadonlyMap<string, number>): Model {
  const index = indexGraph(model.graph)
  const pairs = model.graph.nodes
    .map((node) => biasedMatMul(node, index, ranks))
    .filter((pair) => pair !== undefined)
  if (pairs.length === 0) return model
  const editor = editGraph(model)
  for (const { add, biasName, bias, rank } of pairs) {
    const dims = [...new Array<number>(rank - 1).fill(1), bias.dims[0]!]
    const lifted = editor.addInitializer(biasName, { ...bias, dims })
    editor.setInput(add, add.inputs.indexOf(biasName), lifted)
  }
  editor.removeUnusedInitializers()
  return editor.finish()
}

function biasedMatMul(
  matMul: Node,
  index: GraphIndex,
  ranks: ReadonlyMap<string, number>,
): BiasedMatMul | undefined {
  if (matMul.opType !== 'MatMul' || matMul.domain !== '') return undefined
  const rank = ranks.get(matMul.inputs[0]!)
  const weight = index.constant(matMul.inputs[1]!)
  if (rank === undefined || rank < 3 || weight?.dims.length !== 2) return undefined
  const output = matMul.outputs[0]!
  const [add, ...others] = index.consumers(output)
  if (add?.opType !== 'Add' || others.length > 0 || index.isGraphOutput(output)) return undefined
  const biasName = add.inputs.find((input) => input !== output) ?? ''
  const bias = index.constant(biasName)
  if (bias?.dims.length !== 1 || elementCount(bias.dims) !== weight.dims[1]) return undefined
  return { add, biasName, bias, rank }
}

/**
 * A float addition behind an integer MatMul of rank 2 becomes a Sum, which is the same and no bias of
 * a Gemm to onnxruntime: residual connections of networks whose features are rows.
 */
export function keepProductsApart(
  model: Model,
  { layers, emitters }: Placement,
  statistics: CalibrationStatistics,
): Model {
  const products = new Set(
    [...layers.keys()]
      .filter((node) => node.opType === 'MatMul' && !emitters.has(node))
      .filter(({ inputs }) => (statistics.tensors[inputs[0]!]?.rank ?? 2) === 2)
      .map(({ outputs }) => outputs[0]!),
  )
  const fused = model.graph.nodes.filter(
    ({ opType, domain, inputs }) =>
      opType === 'Add' && domain === '' && inputs.some((input) => products.has(input)),
  )
  if (fused.length === 0) return model
  const editor = editGraph(model)
  for (const add of fused) editor.updateNode(add, { opType: 'Sum' })
  return editor.finish()
}

function hasFixedShapes(model: Model): boolean {
  return model.graph.inputs.every((input) => {
    if (model.graph.initializers.has(input.name)) return true
    const shape = input.type?.kind === 'tensor' ? input.type.shape : undefined
    return shape?.every((dimension) => dimension.size !== undefined) ?? false
  })
}
