// The layers whose weight can be quantized, and how it lies; the others with a reason.
import {
  type Graph,
  type GraphIndex,
  indexGraph,
  type Node,
  nodeLabel,
  subgraphsOf,
} from '@pare/graph'
import { type Layer, opSet, readLayer } from '@pare/ops'
import { NO_SHAPES, rankOf, type ValueShapes } from '@pare/passes'
import { WEIGHT_OP_TYPES, type WhyNot, whyNot } from '@pare/recipe'
import { elementCount, type Tensor } from '@pare/tensor'

import { hasOpenBodies } from '../open-bodies.js'
import { type ResolvedWeightsOptions, type StoredFormat, storedFormat } from './options.js'

/**
 * How the weight lies. `kn`: […1, K, N] of MatMul and Gemm. `nk`: [N, K] of Gemm with transB. `conv`:
 * [M, C/group, k…] of Conv, [C, M/group, k…] of ConvTranspose; its rows are those of the first axis,
 * which serves both, since the weight is float again before it is multiplied. `table`: [V, D] of
 * Gather, blocks along D.
 */
export type WeightLayout = 'kn' | 'nk' | 'conv' | 'table'

export interface WeightLayer extends Pick<
  Layer,
  'node' | 'biasName' | 'bias' | 'weightFactor' | 'biasFactor'
> {
  readonly weightName: string
  readonly weight: Tensor & { readonly dataType: 'float32' | 'float16' }
  readonly layout: WeightLayout
  readonly format: StoredFormat
  /** Output channels, entries of a table, or the first axis of a convolution's weight. */
  readonly rows: number
  /** Values of a row: summed into one output, or the width of a table. */
  readonly columns: number
  /** The activation that the weight is multiplied with; indices for a table. */
  readonly input: string
  /** Of the graph that the node stands in; sees the constants of the graphs around it. */
  readonly index: GraphIndex
}

const CANDIDATES: ReadonlySet<string> = new Set(WEIGHT_OP_TYPES)

export interface FindOptions {
  readonly options: Pick<ResolvedWeightsOptions, 'format' | 'opTypesToQuantize' | 'nodesToExclude'>
  readonly shapes?: ValueShapes
}

export interface FoundLayers {
  readonly layers: readonly WeightLayer[]
  readonly kept: ReadonlyMap<Node, WhyNot>
}

/** The layers of the main graph. */
export function findLayers(graph: Graph, find: FindOptions): FoundLayers {
  const layers: WeightLayer[] = []
  const kept = new Map<Node, WhyNot>()
  search(graph, indexGraph(graph), { find, layers, kept })
  return { layers, kept }
}

/** The layers of the bodies of If, Loop and Scan inside a graph. */
export function findBodyLayers(graph: Graph, find: FindOptions): FoundLayers {
  const found = { find, layers: [], kept: new Map<Node, WhyNot>() }
  searchBodies(graph, indexGraph(graph), found)
  return found
}

interface Search {
  readonly find: FindOptions
  readonly layers: WeightLayer[]
  readonly kept: Map<Node, WhyNot>
}

function search(graph: Graph, index: GraphIndex, { find, layers, kept }: Search): void {
  for (const node of graph.nodes) {
    if (node.domain !== '') continue
    if (RECURRENT.has(node.opType) && isLayer(node, index)) kept.set(node, recurrentStays(node))
    if (!CANDIDATES.has(node.opType)) continue
    const found = weightLayer(node, index, find)
    if (found === undefined) continue
    if ('reason' in found) kept.set(node, found)
    else layers.push(found)
  }
}

/** Most of the weights of a recurrent network: that they stay must not go unsaid. */
const RECURRENT = opSet('GRU', 'LSTM', 'RNN')

function isLayer(node: Node, index: GraphIndex): boolean {
  const read = readLayer(node, index)
  return read !== undefined && !('reason' in read)
}

function recurrentStays({ opType }: Node): WhyNot {
  const message = `onnxruntime has no kernel of ${opType} for weights in blocks; quantize_dynamic stores them in integers${opType === 'LSTM' ? '' : ' by request'}`
  return whyNot('no_kernel', message)
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
): WeightLayer | WhyNot | undefined {
  const read = readLayer(node, index)
  if (read === undefined) return undefined
  if ('reason' in read) return whyNot(read.reason, read.message)
  const { name: weightName, tensor: weight } = read.weight
  if (read.kind === 'table' && (weight.dims.length < 2 || !isFloat(weight))) return undefined
  const forbidden = forbiddenBy(node, options)
  if (forbidden !== undefined) return forbidden
  if (!isFloat(weight)) {
    return whyNot('weight_not_float', `its weight is ${weight.dataType}`)
  }
  const form = formOf(read)
  if ('reason' in form) return form
  const format = storedFormat(node.opType, options.format)
  const rank = rankProblem(node, weight, { format, index, shapes })
  if (rank !== undefined) return rank
  const { biasName, bias, weightFactor, biasFactor } = read
  const input = node.inputs[read.dataInput] ?? ''
  return {
    ...{ node, weightName, weight, ...form, format, input, index },
    ...{ biasName, bias, weightFactor, biasFactor },
  }
}

function isFloat(tensor: Tensor): tensor is WeightLayer['weight'] {
  return tensor.dataType === 'float32' || tensor.dataType === 'float16'
}

function forbiddenBy(node: Node, options: FindOptions['options']): WhyNot | undefined {
  const { nodesToExclude, opTypesToQuantize, format } = options
  if (nodesToExclude.includes(node.name) || nodesToExclude.includes(nodeLabel(node))) {
    return whyNot('excluded_by_name', 'it is in nodes_to_exclude')
  }
  if (node.opType.startsWith('Conv') && format === 'MatMulNBits') {
    return whyNot(
      'no_kernel',
      'onnxruntime multiplies packed weights only in MatMul; use format auto or QDQ',
    )
  }
  return opTypesToQuantize.includes(node.opType)
    ? undefined
    : whyNot('excluded_by_type', 'its type is not in op_types_to_quantize')
}

function formOf(layer: Layer): Pick<WeightLayer, 'layout' | 'rows' | 'columns'> | WhyNot {
  const { kind, inputAxis, outputAxis, inputs, outputs, unusual } = layer
  if (unusual !== undefined) return whyNot(unusual.reason, unusual.message)
  if (kind === 'convolution') {
    const [rows = 0, ...others] = layer.weight.tensor.dims
    return { layout: 'conv', rows, columns: elementCount(others) }
  }
  if (kind !== 'table') {
    const layout = outputAxis < inputAxis ? 'nk' : 'kn'
    return { layout, rows: outputs, columns: inputs }
  }
  return layer.weight.tensor.dims.length === 2 && inputAxis === 0
    ? { layout: 'table', rows: inputs, columns: outputs }
    : whyNot('no_kernel', 'only tables of two dimensions, gathered along the first, have a kernel')
}

/** A weight [1, K, N] lends its rank to the product, which MatMulNBits does not know. */
function rankProblem(
  node: Node,
  weight: Tensor,
  {
    format,
    index,
    shapes,
  }: { format: StoredFormat; index: GraphIndex; shapes: ValueShapes | undefined },
): WhyNot | undefined {
  const isLent = node.opType === 'MatMul' && weight.dims.length > 2
  if (format !== 'MatMulNBits' || !isLent) return undefined
  const rank = rankOf(node.inputs[0] ?? '', index, shapes ?? NO_SHAPES)
  if (rank === undefined) {
    return whyNot('rank_unknown', 'its weight may lend its dimensions to the result')
  }
  return rank >= weight.dims.length
    ? undefined
    : whyNot('gemm_form', 'its weight has more dimensions than its input')
}
