// Factors on a channel graph: the ranges of weights under them, and writing them into a model.
import type { GraphEditor } from '@pare/graph'
import { type Tensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'

import type { ChannelGraph } from './channel-graph.js'
import type { ChannelLayer, ChannelVector, OwnLayer } from './channel-layers.js'
import { LayerRanges, type Side } from './layer-ranges.js'

/** One factor per id, that of its root counts: channels are divided by it. */
export type ChannelScales = Float64Array

/** A layer with the roots of its channels. */
export interface ScaledLayer {
  readonly layer: ChannelLayer
  readonly inputRoots: Int32Array | undefined
  readonly outputRoots: Int32Array
  readonly ranges: LayerRanges
}

export function scaledLayers(graph: ChannelGraph): readonly ScaledLayer[] {
  const { ids } = graph
  return graph.layers.map((layer) => ({
    layer,
    inputRoots: layer.inputIds === undefined ? undefined : ids.roots(layer.inputIds),
    outputRoots: ids.roots(layer.outputIds),
    ranges: new LayerRanges(layer),
  }))
}

/**
 * Greatest magnitude of the scaled weight per root of its input or output channels, raised in
 * `greatest` where it is more than there is.
 */
export function raiseRanges(
  { layer, inputRoots, outputRoots, ranges }: ScaledLayer,
  scales: ChannelScales,
  { side, greatest }: { readonly side: Side; readonly greatest: Float64Array },
): void {
  const isInput = side === 'input'
  const roots = isInput ? inputRoots! : outputRoots
  const found = ranges.of(
    side,
    isInput ? outputFactors(outputRoots, scales) : inputFactors(layer, inputRoots, scales),
  )
  for (let channel = 0; channel < roots.length; channel++) {
    const root = roots[channel]!
    const scale = scales[root]!
    const range = found[channel]! * (isInput ? scale : 1 / scale)
    if (range > greatest[root]!) greatest[root] = range
  }
}

function inputFactors(
  { inputs }: ChannelLayer,
  roots: Int32Array | undefined,
  scales: ChannelScales,
): Float64Array {
  if (roots === undefined) return ones(inputs)
  const factors = new Float64Array(inputs)
  for (let i = 0; i < inputs; i++) factors[i] = scales[roots[i]!]!
  return factors
}

function outputFactors(roots: Int32Array, scales: ChannelScales): Float64Array {
  const factors = new Float64Array(roots.length)
  for (let i = 0; i < factors.length; i++) factors[i] = 1 / scales[roots[i]!]!
  return factors
}

/** Writes all weights, biases and constants that a factor other than 1 changes. */
export function writeScales(
  editor: GraphEditor,
  graph: Pick<ChannelGraph, 'layers' | 'vectors' | 'ids'>,
  scales: ChannelScales,
): void {
  const of = (ids: Int32Array | undefined) => ids?.map((id) => graph.ids.root(id))
  for (const layer of graph.layers) {
    const [input, output] = [
      factors(of(layer.inputIds), scales),
      factors(of(layer.outputIds), scales),
    ]
    if (input === undefined && output === undefined) continue
    const { node, weight } = layer
    setConstant(editor, node, weight.input, scaledWeight(layer, { input, output }))
  }
  for (const vector of graph.vectors) {
    const times = factors(of(vector.timesIds), scales)
    const over = factors(of(vector.overIds), scales)
    if (times === undefined && over === undefined) continue
    const [up, down] = vector.isDivisor ? [over, times] : [times, over]
    setConstant(editor, vector.node, vector.position, scaledVector(vector, up, down))
  }
}

/** Undefined where all are 1. */
function factors(roots: Int32Array | undefined, scales: ChannelScales): Float64Array | undefined {
  if (roots === undefined) return undefined
  const list = new Float64Array(roots.length)
  let isChanged = false
  for (let i = 0; i < list.length; i++) {
    list[i] = scales[roots[i]!]!
    if (list[i] !== 1) isChanged = true
  }
  return isChanged ? list : undefined
}

interface Factors {
  readonly input: Float64Array | undefined
  readonly output: Float64Array | undefined
}

function scaledWeight({ weight, form }: OwnLayer, { input, output }: Factors): Tensor {
  const { first, second, inner, rows, rowsPerGroup } = form
  const down = output?.map((scale) => 1 / scale)
  const [byRow, byColumn] = rows === 'input' ? [input, down] : [down, input]
  const rowFactors = byRow ?? ones(first)
  const columnFactors = byColumn ?? ones((first / rowsPerGroup) * second)
  const source = toFloat32(weight.tensor)
  const values = new Float32Array(source.length)
  let at = 0
  for (let i = 0; i < first; i++) {
    const column = Math.floor(i / rowsPerGroup) * second
    const rowFactor = rowFactors[i]!
    for (let j = 0; j < second; j++) {
      const factor = rowFactor * columnFactors[column + j]!
      for (const end = at + inner; at < end; at++) values[at] = source[at]! * factor
    }
  }
  return tensorFromFloat32(weight.tensor.dims, values)
}

function ones(count: number): Float64Array {
  return new Float64Array(count).fill(1)
}

function scaledVector(
  { tensor, axis }: ChannelVector,
  up: Float64Array | undefined,
  down: Float64Array | undefined,
): Tensor {
  const count = (up ?? down)!.length
  const { dims, values } = expanded(tensor, axis, count)
  const inner = dims.slice(dims.length + axis + 1).reduce((size, dim) => size * dim, 1)
  const scaled = values.map((value, i) => {
    const channel = Math.floor(i / inner) % count
    return (value * (up?.[channel] ?? 1)) / (down?.[channel] ?? 1)
  })
  return tensorFromFloat32(dims, Float32Array.from(scaled))
}

/** Repeats a constant along an axis (from the end) where it has size 1 or no such axis. */
function expanded(
  tensor: Tensor,
  axis: number,
  count: number,
): { readonly dims: readonly number[]; readonly values: Float64Array } {
  const missing = Math.max(-axis - tensor.dims.length, 0)
  const dims = [...new Array<number>(missing).fill(1), ...tensor.dims]
  const source = toFloat32(tensor)
  const at = dims.length + axis
  if (dims[at] === count) return { dims, values: Float64Array.from(source) }
  const inner = dims.slice(at + 1).reduce((size, dim) => size * dim, 1)
  const values = Float64Array.from(
    { length: source.length * count },
    (_, i) => source[Math.floor(i / (inner * count)) * inner + (i % inner)]!,
  )
  return { dims: dims.with(at, count), values }
}

function setConstant(
  editor: GraphEditor,
  node: ChannelLayer['node'],
  position: number,
  tensor: Tensor,
): void {
  const current = editor.current(node)!
  editor.setInput(current, position, editor.addInitializer(current.inputs[position]!, tensor))
}
