// Walking a graph. Whether bodies of If, Loop and Scan are entered is never a default.
import type { Graph, Model, Node } from './model.js'

export interface WalkOptions {
  /** `visit` enters the graphs in attributes (If, Loop, Scan, …); `skip` stays in this graph. */
  readonly subgraphs: 'visit' | 'skip'
}

/** Nodes in order; the bodies of a node follow it. */
export function* walkNodes(graph: Graph, options: WalkOptions): Generator<Node> {
  for (const node of graph.nodes) {
    yield node
    if (options.subgraphs === 'skip') continue
    for (const body of subgraphsOf(node)) yield* walkNodes(body, options)
  }
}

/** This graph and the graphs inside it, outer before inner. */
export function* walkGraphs(graph: Graph): Generator<Graph> {
  yield graph
  for (const node of graph.nodes) {
    for (const body of subgraphsOf(node)) yield* walkGraphs(body)
  }
}

/** The graphs in a node's attributes, in the order of the attributes. */
export function subgraphsOf(node: Node): readonly Graph[] {
  if (node.attributes.size === 0) return NONE
  let bodies: Graph[] | undefined
  for (const attribute of node.attributes.values()) {
    if (attribute.type === 'graph') (bodies ??= []).push(attribute.value)
    else if (attribute.type === 'graphs') (bodies ??= []).push(...attribute.value)
  }
  return bodies ?? NONE
}

const NONE: readonly Graph[] = []

/** Copies `node` with each of its subgraphs replaced; the same node where none changed. */
export function mapSubgraphs(node: Node, change: (body: Graph) => Graph): Node {
  const before = subgraphsOf(node)
  if (before.length === 0) return node
  const attributes = new Map(node.attributes)
  for (const [name, attribute] of node.attributes) {
    if (attribute.type === 'graph') {
      attributes.set(name, { ...attribute, value: change(attribute.value) })
    } else if (attribute.type === 'graphs') {
      attributes.set(name, { ...attribute, value: attribute.value.map(change) })
    }
  }
  const changed = { ...node, attributes }
  return subgraphsOf(changed).some((body, i) => body !== before[i]) ? changed : node
}

/**
 * Values that the node's subgraphs take from outside: the node depends on them as on its inputs.
 */
export function capturedValues(node: Node): ReadonlySet<string> {
  const captured = new Set<string>()
  for (const body of subgraphsOf(node)) {
    for (const name of freeValues(body)) captured.add(name)
  }
  return captured
}

/** Names that a graph reads but does not define. */
export function freeValues(graph: Graph): ReadonlySet<string> {
  const defined = new Set(definedValues(graph))
  const free = new Set<string>()
  const read = (name: string) => {
    if (name !== '' && !defined.has(name)) free.add(name)
  }
  for (const node of graph.nodes) {
    node.inputs.forEach(read)
    capturedValues(node).forEach(read)
  }
  for (const output of graph.outputs) read(output.name)
  return free
}

/** Names that a graph defines itself: inputs, initializers and the outputs of its nodes. */
export function* definedValues(graph: Graph): Generator<string> {
  for (const input of graph.inputs) yield input.name
  yield* graph.initializers.keys()
  for (const sparse of graph.sparseInitializers) yield sparse.name
  for (const node of graph.nodes) {
    for (const name of node.outputs) if (name !== '') yield name
  }
}

/** Version of the default operator set, 0 where the model imports none. */
export function onnxOpset(model: Pick<Model, 'opsetImports'>): number {
  return opsetVersion(model, '')
}

/** Version of a domain's operator set, 0 where the model does not import it. */
export function opsetVersion(model: Pick<Model, 'opsetImports'>, domain: string): number {
  return model.opsetImports.find((opset) => opset.domain === domain)?.version ?? 0
}
