// SmoothQuant (Xiao et al. 2022, "SmoothQuant: Accurate and Efficient Post-Training Quantization for
// Large Language Models", equation 4): a few channels of an activation that are much larger than the
// others take the integers from all of them. They are divided by
//   s_j = max|X_j|^α / max|W_j|^(1 − α)
// and the weights that read them multiplied by it. The division goes into what makes the activation.
import {
  type ChannelGraph,
  channelGraph,
  type ChannelLayer,
  type ChannelScales,
  keepsScale,
  type Pinned,
  raiseRanges,
  type ScaledLayer,
  scaledLayers,
  writeScales,
} from '@pare/channels'
import { type Diagnostic, editGraph, type Model, nodeLabel } from '@pare/graph'
import type { OpType } from '@pare/ops'
import type { ValueShapes } from '@pare/passes'

import { errors } from '../errors.js'
import type { ChannelPoint } from './channel-maxima.js'
import { insertDivisions, type InsertedDivision } from './smooth-insert.js'

/** Layers whose input can be smoothed. */
export const SMOOTH_OP_TYPES = ['Conv', 'Gemm', 'MatMul'] as const satisfies readonly OpType[]
export type SmoothOpType = (typeof SMOOTH_OP_TYPES)[number]

export interface SmoothTargets {
  /** Default MatMul and Gemm. */
  readonly opTypes?: readonly SmoothOpType[]
  /** Shapes of values as `prepareModel` learned them: more Reshapes can be passed. */
  readonly shapes?: ValueShapes
}

export interface SmoothQuantOptions extends SmoothTargets {
  /** Max |x| per channel, by value: `collectChannelMaxima` of `smoothPoints(model, options)`. */
  readonly channelMaxima: ReadonlyMap<string, Float32Array>
  /**
   * How much of the difference between channels moves from activations to weights, 0 to 1. Default
   * 0.5.
   */
  readonly alpha?: number
  /**
   * Divides by a new Mul node where nothing before the activation can absorb the factors. Default
   * false: it costs time in every run.
   */
  readonly insertMul?: boolean
}

/** Layers that read the same channels. */
export interface SmoothedGroup {
  /** The activations that were divided. */
  readonly values: readonly string[]
  readonly layers: readonly string[]
  readonly alpha: number
  readonly scales: { readonly min: number; readonly max: number }
  /** The division is a node of its own. */
  readonly isInserted: boolean
}

export interface SmoothQuantResult {
  /** The model itself where nothing could be smoothed. */
  readonly model: Model
  readonly smoothed: readonly SmoothedGroup[]
  /** Values whose channels were divided. */
  readonly changed: ReadonlySet<string>
  /** Layers that were left out, and why. */
  readonly diagnostics: readonly Diagnostic[]
}

/** The activations whose channel maxima `smoothQuant` needs, each once. */
export function smoothPoints(model: Model, targets: SmoothTargets = {}): readonly ChannelPoint[] {
  const graph = channelGraph(model, targets)
  const points = new Map<string, ChannelPoint>()
  for (const { node, channelAxis, inputs } of targetLayers(graph, targets)) {
    const value = node.inputs[0]!
    const axis = channelAxis === -1 ? -1 : 1
    if (!points.has(value)) points.set(value, { value, axis, channels: inputs })
  }
  return [...points.values()]
}

/**
 * The same function with smoother activations. All layers that read the same channels share their
 * factors. The model must be prepared (`prepareModel`). Throws `quantization_options_invalid` for an
 * alpha outside 0 to 1.
 */
export function smoothQuant(model: Model, options: SmoothQuantOptions): SmoothQuantResult {
  const { alpha = 0.5, channelMaxima, insertMul = false } = options
  if (!(alpha >= 0 && alpha <= 1)) {
    throw errors.quantization_options_invalid(`alpha ${alpha} is not between 0 and 1`)
  }
  const graph = channelGraph(model, options)
  const targets = new Set(targetLayers(graph, options))
  const { folded, apart, diagnostics } = sortTargets(graph, { targets, channelMaxima, insertMul })
  const inserted = insertDivisions(graph, apart)
  const scales = new Float64Array(graph.ids.size).fill(1)
  const extended = { ...graph, layers: inserted.layers }
  const scaled = new Map(scaledLayers(extended).map((entry) => [entry.layer, entry]))
  const groups = [...folded, ...inserted.divisions]
  const writers = writersBySpace(graph, [...scaled.values()])
  const smoothed = groups.map((group) => {
    const readers = group.layers.map((layer) => scaled.get(layer)!)
    const space = graph.ids.space(group.layers[0]!.inputIds![0]!)
    const sides = { readers, writers: writers.get(space) ?? [] }
    return smoothGroup({ ...group, ...sides }, { scales, channelMaxima, alpha })
  })
  diagnostics.push(...refusals(graph, options))
  if (smoothed.length === 0) return { model, smoothed, changed: new Set(), diagnostics }
  const editor = editGraph(model)
  inserted.write(editor, scales)
  writeScales(editor, extended, scales)
  editor.removeUnusedInitializers()
  return { model: editor.finish(), smoothed, changed: graph.scaledValues(scales), diagnostics }
}

function targetLayers(graph: ChannelGraph, { opTypes }: SmoothTargets): readonly ChannelLayer[] {
  const types: readonly string[] = opTypes ?? ['MatMul', 'Gemm']
  return graph.layers.filter(({ node }) => types.includes(node.opType))
}

function writersBySpace(
  { ids }: ChannelGraph,
  layers: readonly ScaledLayer[],
): ReadonlyMap<number, readonly ScaledLayer[]> {
  const writers = new Map<number, ScaledLayer[]>()
  for (const entry of layers) {
    const space = ids.space(entry.outputRoots[0]!)
    writers.set(space, [...(writers.get(space) ?? []), entry])
  }
  return writers
}

interface Group {
  readonly layers: readonly ChannelLayer[]
  readonly division?: InsertedDivision
}

interface SortedTargets {
  /** Groups whose factors something before them absorbs. */
  readonly folded: readonly Group[]
  /** Layers by the value that a new node has to divide for them. */
  readonly apart: ReadonlyMap<string, readonly ChannelLayer[]>
  readonly diagnostics: Diagnostic[]
}

function sortTargets(
  graph: ChannelGraph,
  given: {
    readonly targets: ReadonlySet<ChannelLayer>
    readonly channelMaxima: SmoothQuantOptions['channelMaxima']
    readonly insertMul: boolean
  },
): SortedTargets {
  const diagnostics: Diagnostic[] = []
  const free = new Set<ChannelLayer>()
  const axes = new Map<string, number>()
  for (const layer of given.targets) {
    const value = layer.node.inputs[0]!
    const { inputs, channelAxis } = layer
    if (!axes.has(value)) axes.set(value, channelAxis)
    if (axes.get(value) !== channelAxis) diagnostics.push(keepsScale(layer.node, OTHER_AXIS))
    else if (given.channelMaxima.get(value)?.length === inputs) free.add(layer)
    else diagnostics.push(keepsScale(layer.node, NO_MAXIMA))
  }
  const apart = new Map<string, ChannelLayer[]>()
  let blocked = takeBlocked(graph, free)
  while (blocked.size > 0) {
    for (const [layer, problem] of blocked) {
      if (!given.insertMul) diagnostics.push(keepsScale(layer.node, problem))
      else append(apart, layer.node.inputs[0]!, layer)
      // Either way the value keeps its scale; that may block others that were free.
      if (layer.inputIds !== undefined) graph.ids.pin(layer.inputIds, problem)
    }
    blocked = takeBlocked(graph, free)
  }
  const folded = new Map<number, ChannelLayer[]>()
  for (const layer of free) append(folded, graph.ids.space(layer.inputIds![0]!), layer)
  return { folded: [...folded.values()].map((layers) => ({ layers })), apart, diagnostics }
}

/** Removes and returns the layers with input channels that cannot be scaled. */
function takeBlocked(
  graph: ChannelGraph,
  free: Set<ChannelLayer>,
): ReadonlyMap<ChannelLayer, Pinned> {
  const blocked = new Map<ChannelLayer, Pinned>()
  for (const layer of free) {
    const problem = graph.inputProblem(layer, 'all')
    if (problem !== undefined) blocked.set(layer, problem)
  }
  for (const layer of blocked.keys()) free.delete(layer)
  return blocked
}

const OTHER_AXIS: Pinned = {
  code: 'layout_unknown',
  message: 'another layer reads its input with the channels along another axis',
}

const NO_MAXIMA: Pinned = {
  code: 'no_channel_maxima',
  message: 'the channels of its input were not observed',
}

function append<Key>(groups: Map<Key, ChannelLayer[]>, key: Key, layer: ChannelLayer): void {
  const known = groups.get(key)
  if (known === undefined) groups.set(key, [layer])
  else known.push(layer)
}

function smoothGroup(
  group: Group & {
    readonly readers: readonly ScaledLayer[]
    readonly writers: readonly ScaledLayer[]
  },
  given: {
    readonly scales: ChannelScales
    readonly channelMaxima: SmoothQuantOptions['channelMaxima']
    readonly alpha: number
  },
): SmoothedGroup {
  const { scales, channelMaxima, alpha } = given
  const activations = new Float64Array(scales.length)
  const weights = new Float64Array(scales.length)
  const written = new Float64Array(scales.length)
  const roots = new Set<number>()
  for (const entry of group.writers)
    raiseRanges(entry, scales, { side: 'output', greatest: written })
  for (const entry of group.readers) {
    raiseRanges(entry, scales, { side: 'input', greatest: weights })
    const maxima = channelMaxima.get(entry.layer.node.inputs[0]!)!
    for (const [channel, root] of entry.inputRoots!.entries()) {
      roots.add(root)
      activations[root] = Math.max(activations[root]!, maxima[channel]!)
    }
  }
  const list = [...roots]
  const [x, w] = [raised(list, activations), raised(list, weights)]
  const raw = list.map((_, i) => x[i]! ** alpha / w[i]! ** (1 - alpha))
  const factors = guarded(
    raw,
    list.map((root) => written[root]!),
    x,
  )
  for (const [i, root] of list.entries()) scales[root] = factors[i]!
  return {
    values: [...new Set(group.layers.map(({ node }) => node.inputs[0]!))],
    layers: group.layers.map(({ node }) => nodeLabel(node)),
    alpha,
    scales: {
      min: factors.reduce((least, factor) => Math.min(least, factor), Infinity),
      max: factors.reduce((most, factor) => Math.max(most, factor), 0),
    },
    isInserted: group.division !== undefined,
  }
}

/** Channels that are (almost) never used count as this part of the greatest. */
const LEAST = 1e-2

function raised(roots: readonly number[], values: Float64Array): readonly number[] {
  const greatest = roots.reduce((most, root) => Math.max(most, values[root]!), 0)
  return roots.map((root) => (greatest === 0 ? 1 : Math.max(values[root]!, greatest * LEAST)))
}

/**
 * A channel that hardly ever speaks has a small factor, which makes the weights that write it large.
 * It must not come to dominate the weights that write the others: its factor is raised until it
 * does not.
 */
function guarded(
  factors: readonly number[],
  written: readonly number[],
  activations: readonly number[],
): readonly number[] {
  const greatest = activations.reduce((most, x) => Math.max(most, x), 0)
  const limit = factors.reduce(
    (most, factor, i) =>
      activations[i]! > greatest * LEAST ? Math.max(most, written[i]! / factor) : most,
    0,
  )
  return factors.map((factor, i) => (limit === 0 ? factor : Math.max(factor, written[i]! / limit)))
}

function refusals(graph: ChannelGraph, { opTypes }: SmoothTargets): readonly Diagnostic[] {
  const types: readonly string[] = opTypes ?? ['MatMul', 'Gemm']
  return [...graph.refused]
    .filter(([node]) => types.includes(node.opType))
    .map(([node, problem]) => keepsScale(node, problem))
}
