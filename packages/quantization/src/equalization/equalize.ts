// Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
// and Bias Correction", section 4.1): where one layer feeds another through nothing but Relu and its
// like, channel i of the first may be divided by s_i and the weights that read it multiplied by s_i.
//   s_i = √(r1_i / r2_i)      (equations 10 and 11)
// makes the ranges r1_i and r2_i of both weights in the channel equal, so that no channel is much
// smaller than what one scale for all has to hold. The model computes what it computed.
import {
  type ChannelGraph,
  channelGraph,
  type ChannelScales,
  keepsScale,
  raiseRanges,
  type ScaledLayer,
  scaledLayers,
  writeScales,
} from '@pare/channels'
import { type Diagnostic, editGraph, type Model, nodeLabel } from '@pare/graph'
import type { ValueShapes } from '@pare/passes'

import type { ChannelPoint } from './channel-maxima.js'

export interface EqualizeOptions {
  /** Shapes of values as `prepareModel` learned them: more Reshapes can be passed. */
  readonly shapes?: ValueShapes
  /**
   * Greatest magnitude of each channel behind a bounded Clip such as ReLU6 (`collectChannelMaxima` of
   * `clipPoints(model)`), by the output of the Clip. Channels that never came near the bound are
   * scaled as far as they still do not; without this no channel passes such a Clip. The result is
   * the same for the data of the maxima, and may differ where other data reaches a bound.
   */
  readonly clipMaxima?: ReadonlyMap<string, Float32Array>
  /** Factors stay within [1 / maxScale, maxScale]. Default 1024. */
  readonly maxScale?: number
  /** The model stays as it is where the factors of no pair differ by as much. Default 1. */
  readonly minSpread?: number
}

/** Two layers whose weights share a factor per channel. */
export interface EqualizedPair {
  readonly first: string
  readonly second: string
  /** What the channels between them were divided by. */
  readonly scales: { readonly min: number; readonly max: number }
}

export interface EqualizeResult {
  /** The model itself where there is nothing to equalize. */
  readonly model: Model
  readonly pairs: readonly EqualizedPair[]
  /** Values whose channels were scaled. */
  readonly changed: ReadonlySet<string>
  /** Layers whose input keeps its scale, and why. */
  readonly diagnostics: readonly Diagnostic[]
}

const DEFAULT_MAX_SCALE = 1024
/** A chain settles by half or more of what is left in each sweep. */
const MAX_SWEEPS = 30
/** Sweeps end when no factor changes by more than this part of itself. */
const SETTLED = 2e-3

/**
 * Equalizes all channels that lie between two Conv, Gemm or MatMul layers of constant weights. The
 * model must be prepared (`prepareModel`: BatchNormalization folded, nodes in order). Factors pass
 * through what the channel table knows; branches and residual sums are scaled together where every
 * producer and reader can take part, and stay otherwise. Channels whose weights are all zero on one
 * side keep their scale.
 */
export function equalizeLayers(model: Model, options: EqualizeOptions = {}): EqualizeResult {
  const graph = channelGraph(model, options)
  const layers = scaledLayers(graph)
  const { maxScale = DEFAULT_MAX_SCALE, minSpread = 1 } = options
  const spaces = sharedSpaces(graph, layers)
  const scales = new Float64Array(graph.ids.size).fill(1)
  const found = { written: new Float64Array(scales.length), read: new Float64Array(scales.length) }
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let change = 0
    for (const space of spaces) {
      change = Math.max(change, balance(space, scales, { maxScale, ...found }))
    }
    if (change <= SETTLED) break
    // Half the way, in logarithms, is gone in the first sweep: the square is as far as it may get.
    if (sweep === 0 && spreadOf(pairsIn(spaces, scales)) ** 2 < minSpread) break
  }
  const pairs = pairsIn(spaces, scales)
  const diagnostics = diagnose(graph)
  if (pairs.length === 0 || spreadOf(pairs) < minSpread) {
    return { model, pairs, changed: new Set(), diagnostics }
  }
  const editor = editGraph(model)
  writeScales(editor, graph, scales)
  editor.removeUnusedInitializers()
  return { model: editor.finish(), pairs, changed: graph.scaledValues(scales), diagnostics }
}

/** How far apart the factors of a pair are, in the pair where that is most. */
export function spreadOf(pairs: readonly EqualizedPair[]): number {
  return Math.max(1, ...pairs.map(({ scales }) => scales.max / scales.min))
}

/** Outputs of bounded Clips (ReLU6) between layers: what `clipMaxima` is asked of. */
export function clipPoints(
  model: Model,
  options: Pick<EqualizeOptions, 'shapes'> = {},
): readonly ChannelPoint[] {
  const { blockedClips } = channelGraph(model, options)
  return blockedClips.flatMap(({ value, channels: { ids, axis, rank, isSpread } }) => {
    const pointAxis = axis === -1 ? -1 : axis + (rank ?? NaN) === 1 ? 1 : undefined
    if (pointAxis === undefined || isSpread) return []
    return [{ value, axis: pointAxis, channels: ids.length }]
  })
}

/** Channels that are scaled together, and the layers on both sides of them. */
interface Space {
  readonly writers: readonly ScaledLayer[]
  readonly readers: readonly ScaledLayer[]
  /** Roots that may be scaled. */
  readonly roots: readonly number[]
  readonly floors: readonly number[]
}

function sharedSpaces(graph: ChannelGraph, layers: readonly ScaledLayer[]): readonly Space[] {
  const { ids } = graph
  const sides = new Map<number, { writers: ScaledLayer[]; readers: ScaledLayer[] }>()
  const side = (id: number) => {
    const space = ids.space(id)
    const known = sides.get(space) ?? { writers: [], readers: [] }
    sides.set(space, known)
    return known
  }
  for (const layer of layers) {
    if (layer.inputRoots !== undefined) side(layer.inputRoots[0]!).readers.push(layer)
    side(layer.outputRoots[0]!).writers.push(layer)
  }
  return [...sides.values()].flatMap(({ writers, readers }) => {
    const read = new Set(readers.flatMap(({ inputRoots }) => [...inputRoots!]))
    const written = new Set(writers.flatMap(({ outputRoots }) => [...outputRoots]))
    const roots = [...written].filter((root) => read.has(root) && ids.pinned(root) === undefined)
    if (roots.length === 0) return []
    return [{ writers, readers, roots, floors: roots.map((root) => ids.floor(root)) }]
  })
}

interface BalanceOptions {
  readonly maxScale: number
  /** Room for the ranges of weights on both sides of a root. */
  readonly written: Float64Array
  readonly read: Float64Array
}

/** One step of equation 11 for all channels of a space; returns the greatest relative change. */
function balance(
  { writers, readers, roots, floors }: Space,
  scales: ChannelScales,
  { maxScale, written, read }: BalanceOptions,
): number {
  for (const root of roots) written[root] = read[root] = 0
  for (const layer of writers) raiseRanges(layer, scales, { side: 'output', greatest: written })
  for (const layer of readers) raiseRanges(layer, scales, { side: 'input', greatest: read })
  let change = 0
  for (let i = 0; i < roots.length; i++) {
    const root = roots[i]!
    const step = Math.sqrt(written[root]! / read[root]!)
    if (!Number.isFinite(step) || step === 0) continue
    const before = scales[root]!
    const limited = Math.min(Math.max(before * step, 1 / maxScale, floors[i]!), maxScale)
    scales[root] = limited
    change = Math.max(change, Math.abs(limited / before - 1))
  }
  return change
}

function pairsIn(spaces: readonly Space[], scales: ChannelScales): readonly EqualizedPair[] {
  return spaces.flatMap((space) => pairsOf(space, scales))
}

function pairsOf(space: Space, scales: ChannelScales): readonly EqualizedPair[] {
  const free = new Set(space.roots)
  return space.writers.flatMap((first) =>
    space.readers.flatMap((second) => {
      const read = new Set(second.inputRoots)
      const shared = first.outputRoots.filter((root) => free.has(root) && read.has(root))
      const factors = Array.from(shared, (root) => scales[root]!)
      if (first === second || factors.every((scale) => scale === 1)) return []
      const [min, max] = [Math.min(...factors), Math.max(...factors)]
      return [{ first: label(first), second: label(second), scales: { min, max } }]
    }),
  )
}

function label({ layer }: ScaledLayer): string {
  return nodeLabel(layer.node)
}

function diagnose(graph: ChannelGraph): readonly Diagnostic[] {
  const problems = graph.layers.map(
    (layer) => [layer.node, graph.inputProblem(layer, 'some')] as const,
  )
  return [...problems, ...graph.refused].flatMap(([node, problem]) =>
    problem === undefined ? [] : [keepsScale(node, problem)],
  )
}
