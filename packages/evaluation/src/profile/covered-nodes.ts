// Which nodes of a file a kernel of the runtime computes. The runtime fuses, renames and adds nodes,
// but a kernel writes some value of the file, or is named after one, or reads a weight of the file: it
// computes that value, and all that leads to it and that no earlier kernel has computed.
import { firstOf, type Graph, type Node, nodeLabel, readValues, walkNodes } from '@pare/graph'
import { opSet } from '@pare/ops'

import { opFamily } from './op-family-table.js'

/** One kernel as far as it is known: its name, and when the graph was read back what it reads and writes. */
export interface KnownKernel {
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** By the name of a weight the node that it is for. */
export type WeightReaders = ReadonlyMap<string, Node>

/**
 * For each kernel the nodes of the file that it computes, bodies of If, Loop and Scan included, in
 * the order of the file. Kernels come in the order in which they run.
 */
export function coveredNodes(
  kernels: readonly KnownKernel[],
  graph: Graph,
  weights: WeightReaders,
): readonly (readonly Node[])[] {
  const nodes = [...walkNodes(graph, { subgraphs: 'visit' })]
  const position = new Map(nodes.map((node, at) => [node, at]))
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])))
  const labels = new Map(nodes.map((node) => [nodeLabel(node), node]))
  const producer = (value: string) => (value === '' ? undefined : producers.get(value))
  const computed = new Set<Node>()
  return kernels.map(({ name, inputs, outputs }) => {
    const written = outputs.map((output) => firstOf(candidates(output), producer))
    const named = firstOf(candidates(name), (text) => producer(text) ?? labels.get(text))
    const roots = written.some((node) => node !== undefined)
      ? written
      : [named ?? firstOf(inputs, (input) => weights.get(input))]
    const claimed = claim(roots, producer, computed)
    return claimed.sort((a, b) => position.get(a)! - position.get(b)!)
  })
}

/** A name as the runtime has it, then as the file may have it. */
function candidates(name: string): readonly string[] {
  const plain = name
    .replace(/^(fused )?(InsertedPrecisionFreeCast_)?/, '')
    .replace(/(_nchwc|_q_to_dq|_pre_q|_token_\d+)$/, '')
  return plain === name ? [name] : [name, plain]
}

function claim(
  roots: readonly (Node | undefined)[],
  producer: (value: string) => Node | undefined,
  computed: Set<Node>,
): Node[] {
  const claimed: Node[] = []
  const pending = roots.filter((node) => node !== undefined)
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (computed.has(node)) continue
    computed.add(node)
    claimed.push(node)
    for (const value of readValues(node)) {
      const source = producer(value)
      if (source !== undefined) pending.push(source)
    }
  }
  return claimed
}

/** Nodes that only convert: a kernel that covers another one too is named after that. */
const CONVERSIONS = opSet(
  'Cast',
  'Constant',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
  'Identity',
  'QuantizeLinear',
)

/**
 * Of the nodes of one kernel the one it is known by: the last that is what the kernel stands for
 * (`family`, as `opFamily` says), else the last with a weight, else the last.
 */
export function mainNode(
  nodes: readonly Node[],
  { family, hasWeight }: { readonly family: string; readonly hasWeight: (node: Node) => boolean },
): Node | null {
  const computing = nodes.filter(({ opType }) => !CONVERSIONS.has(opType))
  return (
    computing.findLast(({ opType }) => opFamily(opType) === family) ??
    computing.findLast(hasWeight) ??
    computing.at(-1) ??
    nodes.at(-1) ??
    null
  )
}
