// The layers whose weight can be quantized, and how it lies; the others with a reason.
import {
  type Graph,
  type GraphIndex,
  indexGraph,
  intAttribute,
  type Node,
  nodeLabel,
  subgraphsOf,
} from '@pare/graph'
import { NO_SHAPES, rankOf, type ValueShapes } from '@pare/passes'
import { elementCount, type Tensor } from '@pare/tensor'

import { hasOpenBodies } from '../open-bodies.js'
import { stays, type StaysUnquantized } from './decision.js'
import type { ResolvedWeightsOptions } from './options.js'

/**
 * How the weight lies. `kn`: […1, K, N] of MatMul and Gemm. `nk`: [N, K] of Gemm with transB. `conv`:
 * [M, C/group, k…], summed over all but the first. `table`: [V, D] of Gather, blocks along D.
 */
export type WeightLayout = 'kn' | 'nk' | 'conv' | 'table'

export interface WeightLayer {
  readonly node: Node
  readonly weightName: string
  readonly weight: Tensor & { readonly dataType: 'float32' | 'float16' }
  readonly layout: WeightLayout
  /** Output channels, or entries of a table. */
  readonly rows: number
  /** Values summed into one output, or the width of a table. */
  readonly columns: number
  /** The activation that the weight is multiplied with; indices for a table. */
  readonly input: string
  /** Of the graph that the node stands in; sees the constants of the graphs around it. */
  readonly index: GraphIndex
}

const CANDIDATES: ReadonlySet<string> = new Set(['Conv', 'Gather', 'Gemm', 'MatMul'])

export interface FindOptions {
  readonly options: Pick<ResolvedWeightsOptions, 'format' | 'opTypesToQuantize' | 'nodesToExclude'>
  readonly shapes?: ValueShapes
}

export interface FoundLayers {
  readonly layers: readonly WeightLayer[]
  readonly kept: ReadonlyMap<Node, StaysUnquantized>
}

/** The layers of the main graph. */
export function findLayers(graph: Graph, find: FindOptions): FoundLayers {
  const layers: WeightLayer[] = []
  const kept = new Map<Node, StaysUnquantized>()
  search(graph, indexGraph(graph), { find, layers, kept })
  return { layers, kept }
}

/** The layers of the bodies of If, Loop and Scan inside a graph. */
export function findBodyLayers(graph: Graph, find: FindOptions): FoundLayers {
  const found = { find, layers: [], kept: new Map<Node, StaysUnquantized>() }
  searchBodies(graph, indexGraph(graph), found)
  return found
}

interface Search {
  readonly find: FindOptions
  readonly layers: WeightLayer[]
  readonly kept: Map<Node, StaysUnquantized>
}

function search(graph: Graph, index: GraphIndex, { find, layers, kept }: Search): void {
  for (const node of graph.nodes) {
    if (node.domain !== '' || !CANDIDATES.has(node.opType)) continue
    const found = weightLayer(node, index, find)
    if (found === undefined) continue
    if ('reason' in found) kept.set(node, found)
    else layers.push(found)
  }
}

function searchBodies(graph: Graph, outer: GraphIndex, found: Search): void {
  for (const node of graph.nodes) {
    if (!hasOpenBodies(node)) continue
    for (const body of subgraphsOf(node)) {
      const index = indexBody(body, outer)
      search(body, index, found)
      searchBodies(body, index, found)
    }
  }
}

function indexBody(body: Graph, outer: GraphIndex): GraphIndex {
  const own = indexGraph(body)
  const isOwn = (value: string) =>
    own.isGraphInput(value) || own.isInitializer(value) || own.producer(value) !== undefined
  return {
    ...own,
    constant: (value) => (isOwn(value) ? own.constant(value) : outer.constant(value)),
    value: (name) => own.value(name) ?? outer.value(name),
  }
}

function weightLayer(
  node: Node,
  index: GraphIndex,
  { options, shapes }: FindOptions,
): WeightLayer | StaysUnquantized | undefined {
  const [data, indices] = [node.inputs[0] ?? '', node.inputs[1] ?? '']
  const isTable = node.opType === 'Gather'
  const weightName = isTable ? data : indices
  const weight = index.constant(weightName)
  if (weight === undefined) return withoutWeight(node, index)
  if (isTable && (weight.dims.length < 2 || !isFloat(weight))) return undefined
  const forbidden = forbiddenBy(node, options)
  if (forbidden !== undefined) return forbidden
  if (!isFloat(weight)) {
    return stays('weight_not_float', `its weight is ${weight.dataType}`)
  }
  const form = LAYOUTS[node.opType]!(node, weight)
  if ('reason' in form) return form
  const rank = rankProblem(node, weight, { options, index, shapes })
  if (rank !== undefined) return rank
  return { node, weightName, weight, ...form, input: isTable ? indices : data, index }
}

function isFloat(tensor: Tensor): tensor is WeightLayer['weight'] {
  return tensor.dataType === 'float32' || tensor.dataType === 'float16'
}

/** A product of two activations is no layer; a layer whose weight is computed is one that stays. */
function withoutWeight(node: Node, index: GraphIndex): StaysUnquantized | undefined {
  if (node.opType === 'Gather') return undefined
  if (node.opType !== 'MatMul') {
    return stays('weight_not_constant', 'its weight is computed, not an initializer')
  }
  return index.constant(node.inputs[0] ?? '') === undefined
    ? undefined
    : stays('weight_not_constant', 'its constant is the left operand')
}

function forbiddenBy(node: Node, options: FindOptions['options']): StaysUnquantized | undefined {
  const { nodesToExclude, opTypesToQuantize, format } = options
  if (nodesToExclude.includes(node.name) || nodesToExclude.includes(nodeLabel(node))) {
    return stays('excluded_by_name', 'it is in nodes_to_exclude')
  }
  if (node.opType === 'Conv' && format === 'MatMulNBits') {
    return stays(
      'no_kernel',
      'onnxruntime multiplies packed weights only in MatMul; use format QDQ',
    )
  }
  return opTypesToQuantize.includes(node.opType)
    ? undefined
    : stays('excluded_by_type', 'its type is not in op_types_to_quantize')
}

type Form = Pick<WeightLayer, 'layout' | 'rows' | 'columns'>

const LAYOUTS: Readonly<Record<string, (node: Node, weight: Tensor) => Form | StaysUnquantized>> = {
  Conv: (_node, { dims }) => ({
    layout: 'conv',
    rows: dims[0] ?? 0,
    columns: elementCount(dims.slice(1)),
  }),
  Gather: (node, { dims }) =>
    dims.length === 2 && intAttribute(node, 'axis', 0) === 0
      ? { layout: 'table', rows: dims[0]!, columns: dims[1]! }
      : stays(
          'no_kernel',
          'only tables of two dimensions, gathered along the first, have a kernel',
        ),
  Gemm: (node, { dims: [first = 0, second = 0] }) => {
    if (intAttribute(node, 'transA', 0) === 1) {
      return stays('gemm_form', 'its first input is transposed')
    }
    return intAttribute(node, 'transB', 0) === 1
      ? { layout: 'nk', rows: first, columns: second }
      : { layout: 'kn', rows: second, columns: first }
  },
  MatMul: (_node, { dims }) => {
    if (dims.length < 2) return stays('gemm_form', 'its weight is a vector')
    return dims.slice(0, -2).every((size) => size === 1)
      ? { layout: 'kn', rows: dims.at(-1)!, columns: dims.at(-2)! }
      : stays('batched_weight', 'its weight has batch dimensions')
  },
}

/** A weight [1, K, N] lends its rank to the product, which MatMulNBits does not know. */
function rankProblem(
  node: Node,
  weight: Tensor,
  {
    options,
    index,
    shapes,
  }: { options: FindOptions['options']; index: GraphIndex; shapes: ValueShapes | undefined },
): StaysUnquantized | undefined {
  const isLent = node.opType === 'MatMul' && weight.dims.length > 2
  if (options.format !== 'MatMulNBits' || !isLent) return undefined
  const rank = rankOf(node.inputs[0] ?? '', index, shapes ?? NO_SHAPES)
  if (rank === undefined) {
    return stays('rank_unknown', 'its weight may lend its dimensions to the result')
  }
  return rank >= weight.dims.length
    ? undefined
    : stays('gemm_form', 'its weight has more dimensions than its input')
}
