// Whether a region of integer layers saves more than converting to it and back costs. Where floats
// stand between every two convolutions (hard swish, squeeze and excitation), each little region pays
// for its own conversions.
import { intsAttribute, type Model, type Node } from '@pare/graph'
import { type WhyNot, whyNot } from '@pare/recipe'

import { isDepthwise, type WeightedLayer } from '../layers/layer-weight.js'
import { MIN_MACS_PER_CONVERSION } from './conversion-cost.js'
import type { Placement } from './placement.js'

interface Region {
  readonly nodes: Node[]
}

/**
 * Convolutions that cost more in integers than they save, region by region. Saved are the products of
 * dense convolutions; each element that is converted costs as much as `MIN_MACS_PER_CONVERSION` of
 * them save, and so does each element that a depthwise convolution writes, whose float kernel is the
 * faster one (measured with onnxruntime 1.30: 0.2 to 0.5 ns per element more in integers; a dense
 * 1×1 saves 0.008 ns per product). Of a region the part that saves most is kept: its first and its
 * last layers, often of few channels at high resolution, may go. Sizes are relative: all entries of a
 * region are taken to have the same resolution, which strides divide. Regions with a MatMul or Gemm
 * stay: their int8 weights are worth having for their size.
 */
export function unprofitableLayers(model: Model, placement: Placement): ReadonlyMap<Node, WhyNot> {
  const unprofitable = new Map<Node, WhyNot>()
  for (const region of regionsOf(model, placement)) {
    const layers = region.nodes.flatMap((node) => placement.layers.get(node) ?? [])
    if (layers.some(({ node }) => node.opType !== 'Conv')) continue
    const kept = bestPart(regionCost(model, region, placement))
    for (const { node } of layers) if (!kept.has(node)) unprofitable.set(node, NOT_WORTH)
  }
  return unprofitable
}

const NOT_WORTH = whyNot(
  'not_worth_converting',
  'with the integer layers around it it saves less than converting its input and output costs',
)

/** Integer nodes that are connected by integer values. */
function regionsOf(model: Model, placement: Placement): readonly Region[] {
  const { owners, layers, joins, passes } = placement
  const byValue = new Map<string, Region>()
  const regions = new Set<Region>()
  for (const node of model.graph.nodes) {
    if (!layers.has(node) && !joins.has(node) && !passes.has(node)) continue
    const written = writtenValue(node, placement)
    const read = node.inputs.filter((value) => owners.has(value))
    const values = written === undefined ? read : [...read, written]
    const touched = new Set(values.flatMap((value) => byValue.get(value) ?? []))
    const region = merge(touched, regions, byValue)
    region.nodes.push(node)
    for (const value of values) byValue.set(value, region)
  }
  return [...regions]
}

/** The value that a node writes in integers. */
function writtenValue(node: Node, { emitters, passes }: Placement): string | undefined {
  return emitters.get(node)?.output ?? (passes.has(node) ? node.outputs[0] : undefined)
}

function merge(
  found: ReadonlySet<Region>,
  regions: Set<Region>,
  byValue: Map<string, Region>,
): Region {
  const [first, ...others] = found
  const region = first ?? { nodes: [] }
  regions.add(region)
  for (const other of others) {
    region.nodes.push(...other.nodes)
    for (const [value, owner] of byValue) if (owner === other) byValue.set(value, region)
    regions.delete(other)
  }
  return region
}

/** Relative to the entries of the region. */
interface Size {
  readonly channels: number
  readonly positions: number
}

interface RegionCost {
  /** In graph order. */
  readonly nodes: readonly Node[]
  /** What these nodes of the region save, in products of dense convolutions. */
  readonly savedBy: (kept: ReadonlySet<Node>) => number
}

/** The nodes without a first and a last part, so that most is saved; empty where nothing is. */
function bestPart({ nodes, savedBy }: RegionCost): ReadonlySet<Node> {
  const best = (parts: readonly (readonly Node[])[]) =>
    parts
      .map((part) => ({ part, saved: savedBy(new Set(part)) }))
      .reduce((a, b) => (b.saved > a.saved ? b : a), { part: [], saved: 0 }).part
  const step = Math.ceil(nodes.length / MOST_CUTS)
  const cuts = nodes.flatMap((_, at) => (at % step === 0 ? [at] : []))
  const tail = best(cuts.map((at) => nodes.slice(at)))
  return new Set(best([tail, ...cuts.map((at) => tail.slice(0, tail.length - at))]))
}

/** Every part is looked at as a whole, and a search asks dozens of times. */
const MOST_CUTS = 100

function regionCost(model: Model, region: Region, placement: Placement): RegionCost {
  const members = new Set(region.nodes)
  const nodes = model.graph.nodes.filter((node) => members.has(node))
  const { sizes, savings } = measure(nodes, placement)
  const elements = (value: string) => {
    const { channels, positions } = sizes.get(value) ?? { channels: 0, positions: 0 }
    return channels * positions
  }
  const { owners, index } = placement
  const savedBy = (kept: ReadonlySet<Node>) => {
    const written = new Set([...kept].map((node) => writtenValue(node, placement)))
    const conversions = new Set<string>()
    let saved = 0
    for (const node of kept) {
      saved += savings.get(node) ?? 0
      for (const value of node.inputs) {
        if (owners.has(value) && !written.has(value)) conversions.add(value)
      }
      const output = writtenValue(node, placement)
      if (output === undefined) continue
      const isExit =
        index.isGraphOutput(output) || index.consumers(output).some((reader) => !kept.has(reader))
      if (isExit) conversions.add(output)
    }
    const converted = [...conversions].reduce((sum, value) => sum + elements(value), 0)
    return saved - MIN_MACS_PER_CONVERSION * converted
  }
  return { nodes, savedBy }
}

/** The size of every value, and what each convolution saves by itself. */
function measure(nodes: readonly Node[], placement: Placement) {
  const sizes = new Map<string, Size>()
  const savings = new Map<Node, number>()
  for (const node of nodes) {
    const layer = placement.layers.get(node)
    const input = inputSize(node, layer, sizes)
    const channels = layer?.channels ?? input.channels
    const output = { channels, positions: input.positions * shrinkage(node) }
    if (layer !== undefined) {
      const elements = output.positions * channels
      const perElement = isDepthwise(layer) ? -MIN_MACS_PER_CONVERSION : layer.reductionSize
      savings.set(node, elements * perElement)
    }
    const written = writtenValue(node, placement)
    if (written !== undefined) sizes.set(written, output)
  }
  return { sizes, savings }
}

function inputSize(node: Node, layer: WeightedLayer | undefined, sizes: Map<string, Size>): Size {
  const known = node.inputs.map((value) => sizes.get(value)).find((size) => size !== undefined)
  if (known !== undefined || layer === undefined) return known ?? { channels: 1, positions: 1 }
  const size = { channels: layer.inputs, positions: 1 }
  sizes.set(node.inputs[0]!, size)
  return size
}

/** A pool over everything leaves about this share of positions. */
const GLOBAL_POOL = 1 / 49

function shrinkage(node: Node): number {
  if (node.opType === 'GlobalAveragePool') return GLOBAL_POOL
  return 1 / intsAttribute(node, 'strides', []).reduce((product, stride) => product * stride, 1)
}
