// Whether a region of integer layers saves more than converting to it and back costs. Where floats
// stand between every two convolutions (hard swish, squeeze and excitation), each little region pays
// for its own conversions.
import { intAttribute, intsAttribute, type Model, type Node } from '@pare/graph'

import { MIN_MACS_PER_CONVERSION } from './conversion-cost.js'
import { type StaysFloat, staysFloat } from './decision.js'
import type { WeightedLayer } from './layer-weight.js'
import type { Placement } from './placement.js'

interface Region {
  readonly nodes: Node[]
  /** Values converted to integers for this region, and those that float nodes read from it. */
  readonly entries: Set<string>
  readonly exits: Set<string>
}

/**
 * Convolutions of regions that do not pay: fewer than 32 multiply-accumulates per converted element.
 * Sizes are relative: all entries of a region are taken to have the same resolution, which strides
 * divide. Regions with a MatMul or Gemm stay: their int8 weights are worth having for their size.
 */
export function unprofitableLayers(
  model: Model,
  placement: Placement,
): ReadonlyMap<Node, StaysFloat> {
  const unprofitable = new Map<Node, StaysFloat>()
  for (const region of regionsOf(model, placement)) {
    const layers = region.nodes.flatMap((node) => placement.layers.get(node) ?? [])
    if (layers.some(({ node }) => node.opType !== 'Conv')) continue
    const perConversion = macsPerConversion(model, region, placement)
    if (perConversion >= MIN_MACS_PER_CONVERSION) continue
    for (const { node } of layers) {
      unprofitable.set(
        node,
        staysFloat(
          'not_worth_converting',
          `with the integer layers around it it computes ${perConversion.toFixed(0)} products per converted element, and ${MIN_MACS_PER_CONVERSION} are needed to be faster than float`,
        ),
      )
    }
  }
  return unprofitable
}

/** Integer nodes that are connected by integer values. */
function regionsOf(model: Model, placement: Placement): readonly Region[] {
  const { owners, index, layers, joins, passes } = placement
  const isInteger = (node: Node) => layers.has(node) || joins.has(node) || passes.has(node)
  const writtenBy = (node: Node) => writtenValue(node, placement)
  const isWritten = new Set(model.graph.nodes.map(writtenBy))
  const byValue = new Map<string, Region>()
  const regions = new Set<Region>()
  for (const node of model.graph.nodes) {
    if (!isInteger(node)) continue
    const read = node.inputs.filter((value) => owners.has(value))
    const written = writtenBy(node)
    const values = written === undefined ? read : [...read, written]
    const region = merge(
      new Set(values.flatMap((value) => byValue.get(value) ?? [])),
      regions,
      byValue,
    )
    region.nodes.push(node)
    for (const value of values) byValue.set(value, region)
    for (const value of read) if (!isWritten.has(value)) region.entries.add(value)
    if (written === undefined) continue
    const isExit =
      index.isGraphOutput(written) || index.consumers(written).some((reader) => !isInteger(reader))
    if (isExit) region.exits.add(written)
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
  const region = first ?? { nodes: [], entries: new Set(), exits: new Set() }
  regions.add(region)
  for (const other of others) {
    region.nodes.push(...other.nodes)
    for (const value of other.entries) region.entries.add(value)
    for (const value of other.exits) region.exits.add(value)
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

function macsPerConversion(model: Model, region: Region, placement: Placement): number {
  const sizes = new Map<string, Size>()
  let macs = 0
  for (const node of model.graph.nodes) {
    if (!region.nodes.includes(node)) continue
    const layer = placement.layers.get(node)
    const input = inputSize(node, layer, sizes)
    const channels = layer?.channels ?? input.channels
    const output = { channels, positions: input.positions * shrinkage(node) }
    if (layer !== undefined) macs += output.positions * layer.channels * layer.reductionSize
    const written = writtenValue(node, placement)
    if (written !== undefined) sizes.set(written, output)
  }
  const elements = (value: string) => {
    const { channels, positions } = sizes.get(value) ?? { channels: 0, positions: 0 }
    return channels * positions
  }
  const conversions = [...region.entries, ...region.exits].reduce((sum, v) => sum + elements(v), 0)
  return conversions === 0 ? Infinity : macs / conversions
}

function inputSize(node: Node, layer: WeightedLayer | undefined, sizes: Map<string, Size>): Size {
  const known = node.inputs.map((value) => sizes.get(value)).find((size) => size !== undefined)
  if (known !== undefined || layer === undefined) return known ?? { channels: 1, positions: 1 }
  const channels = layer.weight.dims[layer.inputAxis]! * intAttribute(node, 'group', 1)
  const size = { channels, positions: 1 }
  sizes.set(node.inputs[0]!, size)
  return size
}

/** A pool over everything leaves about this share of positions. */
const GLOBAL_POOL = 1 / 49

function shrinkage(node: Node): number {
  if (node.opType === 'GlobalAveragePool') return GLOBAL_POOL
  return 1 / intsAttribute(node, 'strides', []).reduce((product, stride) => product * stride, 1)
}
