// The weights that a step can rewrite and the layers that read them, bodies of control flow included.
import {
  type Graph,
  indexGraph,
  type Node,
  nodeLabel,
  type StaticGraphIndex,
  subgraphsOf,
} from '@pare/graph'
import { readLayer } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'
import type { Tensor } from '@pare/tensor'

import { errors } from './errors.js'
import { isPrunable, type LayerScope } from './options.js'
import type { SummedAxis } from './select-pattern.js'

/** A constant weight, which one or several layers read. */
export interface Weight {
  readonly name: string
  readonly tensor: Tensor
  readonly summed: SummedAxis
  /** In the order of the model. */
  readonly layers: readonly Node[]
}

export interface FoundWeights {
  /** In the order of the model, each once. */
  readonly weights: readonly Weight[]
  /** All nodes of prunable types with a weight, in the order of the model. */
  readonly layers: readonly Node[]
  /** Why those of them that `weights` does not name stay as they are. */
  readonly kept: ReadonlyMap<Node, WhyNot>
}

/**
 * Rules:
 * 1. Layers are Conv, ConvTranspose, Gemm and MatMul, by request RNN, GRU and LSTM (both W and R). A
 *    MatMul's weight may be either operand. Products of two activations are no layers.
 * 2. Only constants that nothing can override, of a float type of 16 or 32 bits.
 * 3. A weight that several layers read is found once. One that anything else reads (the Gather of a tied
 *    embedding, a layer that is excluded, an output of the graph) stays: a changed copy beside it would
 *    make the model larger.
 *
 * Throws `pruning_not_applicable` where there are none.
 */
export function findWeights(graph: Graph, options: SearchOptions): FoundWeights {
  const search = new Search(options)
  search.enter(graph, () => undefined)
  const found = search.found()
  if (found.weights.length === 0) throw notApplicable(found.kept)
  return found
}

/** What was made of weights, by the layers that read them. */
export function byLayer<Made extends { readonly weight: Weight }>(
  made: readonly Made[],
): ReadonlyMap<Node, readonly Made[]> {
  const byNode = new Map<Node, Made[]>()
  for (const one of made) {
    for (const node of one.weight.layers) {
      const known = byNode.get(node)
      if (known === undefined) byNode.set(node, [one])
      else known.push(one)
    }
  }
  return byNode
}

export interface SearchOptions extends LayerScope {
  /** Weights are chosen along the summed axis, which all readers then have to share. */
  readonly alongSummedAxis: boolean
}

type ConstantOf = (value: string) => Tensor | undefined

/** Where a node reads a weight. */
interface Use {
  readonly node: Node
  readonly name: string
  readonly tensor: Tensor
  readonly summed: SummedAxis
}

const FLOATS: ReadonlySet<string> = new Set(['float32', 'float16', 'bfloat16'])

class Search {
  private readonly options: SearchOptions
  private readonly layers: Node[] = []
  private readonly kept = new Map<Node, WhyNot>()
  /** By weight, which copies under several names may share. */
  private readonly uses = new Map<Tensor, Use[]>()
  /** For each constant how often it is read, as a weight or otherwise, and by whom. */
  private readonly readers = new Map<Tensor, (Node | 'output')[]>()

  constructor(options: SearchOptions) {
    this.options = options
  }

  enter(graph: Graph, outer: ConstantOf): void {
    const index = indexGraph(graph)
    const constant: ConstantOf = (value) =>
      isOwn(index, value) ? index.constant(value) : outer(value)
    for (const node of graph.nodes) {
      for (const input of node.inputs) this.read(constant(input), node)
      if (node.domain === '' && isPrunable(node.opType)) this.look(node, constant)
      for (const body of subgraphsOf(node)) this.enter(body, constant)
    }
    for (const { name } of graph.outputs) this.read(constant(name), 'output')
  }

  found(): FoundWeights {
    const weights: Weight[] = []
    for (const [tensor, uses] of this.uses) {
      const obstacle = this.obstacle(tensor, uses)
      const layers = [...new Set(uses.map(({ node }) => node))]
      const { name, summed } = uses[0]!
      if (obstacle === undefined) weights.push({ name, tensor, summed, layers })
      else for (const node of layers) this.kept.set(node, obstacle)
    }
    return { weights, layers: this.layers, kept: this.kept }
  }

  private read(tensor: Tensor | undefined, by: Node | 'output'): void {
    if (tensor === undefined) return
    const known = this.readers.get(tensor)
    if (known === undefined) this.readers.set(tensor, [by])
    else known.push(by)
  }

  private look(node: Node, constant: ConstantOf): void {
    const uses = weightUses(node, constant)
    if (uses === undefined) return
    this.layers.push(node)
    const kept = 'reason' in uses ? uses : this.forbidden(node, uses)
    if (kept !== undefined) this.kept.set(node, kept)
    if (kept !== undefined || 'reason' in uses) return
    for (const use of uses) {
      const known = this.uses.get(use.tensor)
      if (known === undefined) this.uses.set(use.tensor, [use])
      else known.push(use)
    }
  }

  private forbidden(node: Node, uses: readonly Use[]): WhyNot | undefined {
    const { nodesToExclude, opTypes } = this.options
    if (nodesToExclude.includes(node.name) || nodesToExclude.includes(nodeLabel(node))) {
      return whyNot('excluded_by_name', 'it is in nodes_to_exclude')
    }
    if (!opTypes.some((type) => type === node.opType)) {
      return whyNot('excluded_by_type', 'its type is not in op_types_to_prune')
    }
    const wrong = uses.find(({ tensor }) => !FLOATS.has(tensor.dataType))
    if (wrong === undefined) return undefined
    return whyNot('weight_not_float', `its weight is ${wrong.tensor.dataType}`)
  }

  /** Rule 3; a pattern lies along one axis, which readers may see differently. */
  private obstacle(tensor: Tensor, uses: readonly Use[]): WhyNot | undefined {
    const readers = this.readers.get(tensor) ?? []
    const layers = new Set<Node | 'output'>(uses.map(({ node }) => node))
    const other = readers.find((reader) => !layers.has(reader))
    if (other === 'output') return whyNot('weight_shared', 'its weight is an output too')
    if (other !== undefined || readers.length > uses.length) {
      const by = other ?? uses[0]!.node
      return whyNot(
        'weight_shared',
        `${by.opType} ${nodeLabel(by)} reads its weight too, and stays as it is`,
      )
    }
    const { axis, run } = uses[0]!.summed
    const isAlike = uses.every(({ summed }) => summed.axis === axis && summed.run === run)
    if (isAlike || !this.options.alongSummedAxis) return undefined
    return whyNot('weight_shared', 'its readers sum over different axes')
  }
}

function isOwn(index: StaticGraphIndex, value: string): boolean {
  return index.isGraphInput(value) || index.isInitializer(value) || !!index.producer(value)
}

/** Undefined for a product of two activations; a reason for a layer whose weight is computed. */
function weightUses(node: Node, constant: ConstantOf): readonly Use[] | WhyNot | undefined {
  const layer = readLayer(node, { constant })
  if (layer === undefined) return undefined
  if ('reason' in layer) return leftUse(node, constant) ?? whyNot(layer.reason, layer.message)
  const weights = [layer.weight, ...layer.furtherWeights]
  if (layer.kind === 'recurrent' && weights.length < 2) {
    return whyNot('weight_not_constant', 'its weight is computed, not an initializer')
  }
  const { inputAxis: axis, groups, perGroup } = layer
  return weights.map(({ name, tensor }) => {
    const inputs = (tensor.dims[axis] ?? 1) / (perGroup === 'output' ? groups : 1)
    const run = Math.max(1, Math.floor(inputs))
    return { node, name, tensor, summed: { dims: tensor.dims, axis, run } }
  })
}

/** A MatMul sums over the last axis of a constant on its left. */
function leftUse(node: Node, constant: ConstantOf): readonly Use[] | undefined {
  const name = node.inputs[0] ?? ''
  const tensor = node.opType === 'MatMul' ? constant(name) : undefined
  if (tensor === undefined) return undefined
  const { dims } = tensor
  const axis = Math.max(dims.length - 1, 0)
  return [{ node, name, tensor, summed: { dims, axis, run: Math.max(1, dims[axis] ?? 1) } }]
}

function notApplicable(kept: ReadonlyMap<Node, WhyNot>) {
  const messages = [...new Set([...kept.values()].map(({ message }) => message))]
  const why = messages.length === 0 ? 'it has none' : messages.slice(0, 5).join('; ')
  return errors.pruning_not_applicable(`no weight of the model can be changed: ${why}`)
}
