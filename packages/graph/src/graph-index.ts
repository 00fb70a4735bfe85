import type { Tensor } from '@pare/tensor'

import type { Graph, Node, Value } from './model.js'
import { capturedValues } from './walk.js'

/**
 * Who makes and who reads each value of one graph. Subgraphs are seen from outside: a node whose
 * body captures a value is one of its consumers.
 */
export interface GraphIndex {
  /** The node whose output the value is; undefined for inputs, initializers and unknown names. */
  readonly producer: (value: string) => Node | undefined
  /** Nodes that read the value as an input or inside a subgraph, each once. */
  readonly consumers: (value: string) => readonly Node[]
  readonly isGraphInput: (value: string) => boolean
  readonly isGraphOutput: (value: string) => boolean
  readonly isInitializer: (value: string) => boolean
  readonly initializer: (value: string) => Tensor | undefined
  /**
   * The tensor of a value that can never change: an initializer that no graph input overrides, or
   * the output of a Constant node with a tensor.
   */
  readonly constant: (value: string) => Tensor | undefined
  /** The declaration of an input, output or inner value, where the file has one. */
  readonly value: (name: string) => Value | undefined
}

export interface StaticGraphIndex extends GraphIndex {
  readonly graph: Graph
  /** Position in `graph.nodes`; -1 for a node of another graph. */
  readonly position: (node: Node) => number
}

/** Indexes a graph in one pass. The index does not follow edits: make a new one. */
export function indexGraph(graph: Graph): StaticGraphIndex {
  const producers = new Map<string, Node>()
  const consumers = new Map<string, Node[]>()
  const positions = new Map<Node, number>()
  for (const [position, node] of graph.nodes.entries()) {
    positions.set(node, position)
    for (const output of node.outputs) if (output !== '') producers.set(output, node)
    for (const value of readValues(node)) {
      const known = consumers.get(value)
      if (known === undefined) consumers.set(value, [node])
      else known.push(node)
    }
  }
  const inputs = new Set(graph.inputs.map((value) => value.name))
  const outputs = new Set(graph.outputs.map((value) => value.name))
  const values = declarations(graph)
  const producer = (value: string) => producers.get(value)
  const initializer = (value: string) => graph.initializers.get(value)
  return {
    graph,
    producer,
    consumers: (value) => consumers.get(value) ?? NO_NODES,
    isGraphInput: (value) => inputs.has(value),
    isGraphOutput: (value) => outputs.has(value),
    isInitializer: (value) => graph.initializers.has(value),
    initializer,
    constant: (value) =>
      inputs.has(value) ? undefined : (initializer(value) ?? constantTensor(producer(value))),
    value: (name) => values.get(name),
    position: (node) => positions.get(node) ?? -1,
  }
}

const NO_NODES: readonly Node[] = []

/** The names a node reads, each once: inputs first, then what its subgraphs capture. */
export function readValues(node: Node): ReadonlySet<string> {
  const read = new Set<string>()
  for (const input of node.inputs) if (input !== '') read.add(input)
  for (const value of capturedValues(node)) read.add(value)
  return read
}

/** The tensor of a `Constant` node that holds one. */
export function constantTensor(node: Node | undefined): Tensor | undefined {
  if (node?.opType !== 'Constant' || node.domain !== '') return undefined
  const value = node.attributes.get('value')
  return value?.type === 'tensor' ? value.value : undefined
}

/** Declarations by name; those of the interface win over `valueInfo`. */
export function declarations(graph: Graph): Map<string, Value> {
  const values = new Map<string, Value>()
  for (const list of [graph.valueInfo, graph.outputs, graph.inputs]) {
    for (const value of list) values.set(value.name, value)
  }
  return values
}
