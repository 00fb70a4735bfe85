// Which channels of a model belong together, by one walk over the graph that follows one column of the
// channel table:
// - `carries`: channels that are the same one in several places, or must go with it. Where all of them
//   can be taken away, with the rows and columns of weights and constants that are theirs, the rest
//   computes what it computed for zeros in their place (but for normalizations over them).
// - `scales`: channels that must be scaled alike. Dividing the channels of a value by s changes nothing
//   else as long as everything that makes the value can divide by s and everything that reads it can
//   multiply by s, or passes the factor on; weights and constants absorb it on both sides.
import {
  describeNode,
  type Diagnostic,
  type GraphIndex,
  indexGraph,
  type Model,
  type Node,
  nodeLabel,
  readValues,
} from '@pare/graph'
import { opRow } from '@pare/ops'
import { NO_SHAPES, rankOf, type ValueShapes } from '@pare/passes'

import { ChannelIds, type Pinned } from './channel-ids.js'
import type { ChannelLayer, ChannelVector } from './channel-layers.js'
import type { ChannelRule, RuleContext } from './channel-rule.js'
import { CHANNEL_TABLE } from './channel-table.js'
import type { ChannelValue, PlacedChannels } from './channel-value.js'

export interface ChannelGraphOptions {
  /** Of the channel table: what belonging together means. Default `scales`. */
  readonly column?: 'carries' | 'scales'
  /** Shapes of values as `prepareModel` learned them; only ranks and channel counts are used. */
  readonly shapes?: ValueShapes
  /** Greatest value of each channel that a bounded Clip wrote, by its output. */
  readonly clipMaxima?: ReadonlyMap<string, Float32Array>
}

export interface ChannelGraph {
  readonly ids: ChannelIds
  readonly layers: readonly ChannelLayer[]
  readonly vectors: readonly ChannelVector[]
  /** Layers whose constant weight cannot absorb factors, and why. */
  readonly refused: ReadonlyMap<Node, Pinned>
  /** Outputs of Clips whose bound stops factors for want of maxima. */
  readonly blockedClips: readonly { readonly value: string; readonly channels: PlacedChannels }[]
  /** Why none, or not all, channels of a layer's input can be scaled; undefined where they can. */
  readonly inputProblem: (layer: ChannelLayer, demand: 'some' | 'all') => Pinned | undefined
  /** Values with a channel whose factor is not 1; all others keep what they are. */
  readonly scaledValues: (scales: Float64Array) => ReadonlySet<string>
}

/** Nodes must be in topological order, as `prepareModel` leaves them. */
export function channelGraph(model: Model, options: ChannelGraphOptions = {}): ChannelGraph {
  const index = indexGraph(model.graph)
  const ids = new ChannelIds()
  const values = new Map<string, ChannelValue>()
  const layers: ChannelLayer[] = []
  const vectors: ChannelVector[] = []
  const refused = new Map<Node, Pinned>()
  /** Nodes that pass factors elsewhere, and why they do not here. */
  const stops = new Map<Node, Pinned>()
  const blockedClips: { value: string; channels: PlacedChannels }[] = []
  const shapes = options.shapes ?? NO_SHAPES
  const pin = (value: string, reason: Pinned) => {
    for (const channels of values.get(value)?.axes.values() ?? []) ids.pin(channels.ids, reason)
  }
  const context: RuleContext = {
    index,
    ids,
    of: (value) => values.get(value),
    set: (value, channels) => values.set(value, channels),
    pin,
    rankOf: (value) => values.get(value)?.rank ?? rankOf(value, index, shapes),
    shapeOf: (value) => shapes.get(value)?.dims,
    clipMaxima: (value) => options.clipMaxima?.get(value),
    addLayer: (layer) => layers.push(layer),
    addVector: (vector) => vectors.push(vector),
    blockClip: (value, channels) => blockedClips.push({ value, channels }),
    refuse: (layer, reason) => refused.set(layer, reason),
  }
  for (const node of model.graph.nodes) {
    const rule = ruleOf(node, options.column ?? 'scales')
    const problem = rule === undefined ? notInColumn(node, options) : rule(node, context)
    if (problem === undefined) continue
    for (const value of readValues(node)) pin(value, problem)
    if (rule !== undefined) stops.set(node, problem)
  }
  for (const { name } of model.graph.outputs) pin(name, GRAPH_OUTPUT)
  const inputProblem = inputProblems({ ids, index, stops })
  const scaledValues = (scales: Float64Array) => {
    const isScaled = (id: number) => scales[ids.root(id)] !== 1
    const scaled = [...values].filter(([, { axes }]) =>
      [...axes.values()].some((channels) => channels.ids.some(isScaled)),
    )
    return new Set(scaled.map(([value]) => value))
  }
  return { ids, layers, vectors, refused, blockedClips, inputProblem, scaledValues }
}

const GRAPH_OUTPUT: Pinned = {
  code: 'graph_output',
  message: 'the value is an output of the model',
}

function ruleOf(node: Node, column: 'carries' | 'scales'): ChannelRule | undefined {
  const row = opRow(CHANNEL_TABLE, node)
  return column === 'carries' || row?.scales === 'carried' ? row?.carries : row?.scales
}

function notInColumn(node: Node, { column }: ChannelGraphOptions): Pinned {
  const reads = `${node.opType} ${nodeLabel(node)} reads the value`
  return column === 'carries'
    ? { code: 'unknown_operator', message: `${reads}, and how channels pass it is unknown` }
    : { code: 'not_homogeneous', message: `${reads}, and no factor passes through it` }
}

function inputProblems(given: {
  readonly ids: ChannelIds
  readonly index: GraphIndex
  readonly stops: ReadonlyMap<Node, Pinned>
}): ChannelGraph['inputProblem'] {
  return ({ node, inputIds }, demand) => {
    if (inputIds !== undefined) {
      const pins = Array.from(inputIds, (id) => given.ids.pinned(id))
      const first = pins.find((pin) => pin !== undefined)
      return demand === 'some' && pins.includes(undefined) ? undefined : first
    }
    const producer = given.index.producer(node.inputs[0] ?? '')
    const origin =
      producer === undefined
        ? 'is an input of the model'
        : `comes from ${producer.opType} ${nodeLabel(producer)}, which no factor passes`
    const stop = producer === undefined ? undefined : given.stops.get(producer)
    return stop ?? { code: 'input_not_scalable', message: `it ${origin}` }
  }
}

/** The diagnostic of a layer whose input is not scaled. */
export function keepsScale(node: Node, { code, message }: Pinned): Diagnostic {
  const text = `${describeNode(node)} keeps the scale of its input: ${message}`
  return { severity: 'info', code, message: text, node: nodeLabel(node), opType: node.opType }
}
