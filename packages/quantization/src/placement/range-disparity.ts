// Values of very different ranges under one scale: the smaller ones lose their bits. In a detector
// that is box coordinates (0…640) beside scores (0…1), and grid offsets (0…80) added to sigmoids.
import { type GraphIndex, indexGraph, type Model, type Node } from '@pare/graph'
import { opFacts, sharesQuantization } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'
import { toFloat32 } from '@pare/tensor'

import { type WeightedLayer, weightedLayer } from '../layers/layer-weight.js'
import { dataPath } from './data-path.js'
import { isOne, madeBy } from './walk.js'

/** Of 8 bits the smaller values keep 5. */
const MAX_RATIO = 8
/**
 * Inside a network the smaller term of an Add is a correction to the greater, and layers behind it
 * average what is lost. Of 8 bits it keeps 2 at least.
 */
const MAX_INNER_ADD_RATIO = 64

/** Width of a value's range; undefined: not known. */
export type WidthOf = (value: string) => number | undefined

/**
 * The nodes behind the last layers with constant weights: what a network puts out is made there,
 * with nothing after it to make up for an error.
 */
export function tailNodes({ graph }: Model): ReadonlySet<Node> {
  const index = indexGraph(graph)
  const before = new Set<Node>()
  for (const node of graph.nodes.toReversed()) {
    const leadsToLayer = node.outputs.some((output) =>
      index.consumers(output).some((reader) => before.has(reader) || isLayer(reader, index)),
    )
    if (leadsToLayer) before.add(node)
  }
  return new Set(graph.nodes.filter((node) => !before.has(node) && !isLayer(node, index)))
}

function isLayer(node: Node, index: GraphIndex): boolean {
  const position = opFacts(node)?.weightInput
  if (weightedLayer(node, index) !== undefined) return true
  return position !== undefined && index.constant(node.inputs[position] ?? '') !== undefined
}

/**
 * What joins at the network's end read: observed only to tell why they stay float. An Add of a
 * constant is a bias most often.
 */
export function tailJoinInputs(model: Model): readonly string[] {
  const index = indexGraph(model.graph)
  const data = dataPath(model)
  return [...tailNodes(model)]
    .filter((node) => data.has(node) && isOne(node, ['Concat', 'Add']))
    .map(({ inputs }) => inputs.filter((input) => index.constant(input) === undefined))
    .filter((inputs) => inputs.length > 1)
    .flat()
}

export interface DisparityContext {
  readonly index: GraphIndex
  readonly tail: ReadonlySet<Node>
  readonly widthOf: WidthOf
}

/** Why a Concat, Where or Add of values so different stays float. */
export function rangeDisparity(node: Node, context: DisparityContext): WhyNot | undefined {
  const limit = ratioLimit(node, context.tail)
  if (limit === undefined) return undefined
  const positions = opFacts(node)?.dataInputs ?? [...node.inputs.keys()]
  const widths = positions
    .map((i) => widthOfInput(node.inputs[i] ?? '', context))
    .filter((width) => width !== undefined)
    .filter((width) => width > 0)
  if (widths.includes(Infinity)) {
    return whyNot('ranges_too_different', 'one of its inputs is infinite')
  }
  if (widths.length < 2) return undefined
  const ratio = Math.max(...widths) / Math.min(...widths)
  if (ratio <= limit) return undefined
  const message = `the ranges of its inputs differ ${ratio.toFixed(0)} times, one scale would lose the smaller`
  return whyNot('ranges_too_different', message)
}

function ratioLimit(node: Node, tail: ReadonlySet<Node>): number | undefined {
  if (node.domain !== '') return undefined
  switch (node.opType) {
    case 'Concat':
    case 'Where':
      return MAX_RATIO
    case 'Add':
      return tail.has(node) ? MAX_RATIO : MAX_INNER_ADD_RATIO
    default:
      return undefined
  }
}

function widthOfInput(value: string, { index, widthOf }: DisparityContext): number | undefined {
  const constant = index.constant(value)
  if (constant === undefined) {
    const isShare = madeBy(value, ['Sigmoid', 'Softmax'], index) !== undefined
    return widthOf(value) ?? (isShare ? 1 : undefined)
  }
  if (constant.dataType !== 'float32') return undefined
  let [min, max] = [0, 0]
  for (const x of toFloat32(constant)) {
    if (x < min) min = x
    if (x > max) max = x
  }
  return max - min
}

/**
 * A convolution to one channel of what a Softmax puts out: the expected value of a distribution, by
 * which detectors (DFL: Li et al. 2020, "Generalized Focal Loss") place the edges of a box. Its
 * steps would be pixels, and it computes next to nothing.
 */
export function isDistributionMean(
  { node, channels }: WeightedLayer,
  opset: number,
  index: GraphIndex,
): boolean {
  if (node.opType !== 'Conv' || channels !== 1) return false
  let source = index.producer(node.inputs[0]!)
  while (source?.domain === '' && sharesQuantization(source, opset)) {
    source = index.producer(source.inputs[0]!)
  }
  return source !== undefined && isOne(source, ['Softmax'])
}

/** The nodes that read, directly or not, what one of `sources` makes. */
export function nodesBehind(sources: Iterable<Node>, index: GraphIndex): ReadonlyMap<Node, Node> {
  const behind = new Map<Node, Node>()
  for (const source of sources) {
    const queue = [source]
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      for (const reader of node.outputs.flatMap((output) => index.consumers(output))) {
        if (behind.has(reader)) continue
        behind.set(reader, source)
        queue.push(reader)
      }
    }
  }
  return behind
}
