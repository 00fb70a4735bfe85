import type { Tensor } from '@pare/tensor'

import { errors } from './errors.js'
import { constantTensor, declarations, type GraphIndex } from './graph-index.js'
import type { Attribute, Graph, MetadataProp, Model, Node, Value } from './model.js'
import { type NameAuthority, nodeNames, valueNames } from './name-authority.js'
import { NodeList } from './node-list.js'
import { renameReads, replaceName } from './rename.js'
import { topologicalOrder } from './topological-order.js'
import { mapSubgraphs, onnxOpset } from './walk.js'

/** A node to be made. */
export interface NodeSpec {
  readonly opType: string
  readonly inputs: readonly string[]
  /** Exact value names. Default: one fresh name. */
  readonly outputs?: readonly string[]
  /** A hint: the editor makes it unique. Default: the opType. */
  readonly name?: string
  readonly domain?: string
  readonly attributes?: ReadonlyMap<string, Attribute> | Readonly<Record<string, Attribute>>
  readonly docString?: string
  readonly metadataProps?: readonly MetadataProp[]
}

export interface ReplaceUsesOptions {
  /** Nodes that go on reading the old value. */
  readonly except?: readonly Node[]
}

/** Starts editing the main graph of a model. The model itself stays as it is. */
export function editGraph(model: Model): GraphEditor {
  return new GraphEditor(model)
}

/**
 * The one way to change a graph. The editor owns names, keeps producers and consumers current
 * while it edits (it is a GraphIndex), never changes an initializer, and keeps the names of graph
 * inputs and outputs. A node may be named by any earlier version of itself.
 */
export class GraphEditor implements GraphIndex {
  private readonly model: Model
  /** The editor of the graph around a body. */
  private readonly outer: GraphEditor | undefined
  private readonly list: NodeList
  private readonly names: NameAuthority
  private readonly nodeNames: NameAuthority
  private readonly initializers: Map<string, Tensor>
  private readonly values: Map<string, Value>
  private inputs: readonly Value[]
  private outputs: readonly Value[]
  /** For each graph output, the value it shows: its own name until uses are replaced. */
  private sources: Map<string, string>

  constructor(model: Model, outer?: GraphEditor) {
    const { graph } = model
    this.model = model
    this.outer = outer
    this.list = new NodeList(graph.nodes)
    this.names = outer?.names ?? valueNames(graph)
    this.nodeNames = outer?.nodeNames ?? nodeNames(graph)
    this.initializers = new Map(graph.initializers)
    this.values = declarations({ ...graph, inputs: [], outputs: [] })
    this.inputs = graph.inputs
    this.outputs = graph.outputs
    this.sources = new Map(graph.outputs.map(({ name }) => [name, name]))
  }

  /** Version of the default operator set that the model imports, 0 where it imports none. */
  opset(): number {
    return onnxOpset(this.model)
  }

  // What the graph is now.

  nodes(): readonly Node[] {
    return [...this.list]
  }

  /** What now stands in the place of `node`; undefined where it was removed. */
  current(node: Node): Node | undefined {
    return this.list.current(node)
  }

  producer(value: string): Node | undefined {
    return this.list.producer(value)
  }

  consumers(value: string): readonly Node[] {
    return this.list.consumers(value)
  }

  isGraphInput(value: string): boolean {
    return this.inputs.some((input) => input.name === value)
  }

  isGraphOutput(value: string): boolean {
    return this.outputs.some((output) => this.sources.get(output.name) === value)
  }

  isInitializer(value: string): boolean {
    return this.initializers.has(value)
  }

  initializer(value: string): Tensor | undefined {
    return this.initializers.get(value)
  }

  /** In a body also a constant of a graph around it. */
  constant(value: string): Tensor | undefined {
    if (this.isGraphInput(value)) return undefined
    const own = this.initializers.get(value)
    if (own !== undefined) return own
    const producer = this.producer(value)
    return producer === undefined ? this.outer?.constant(value) : constantTensor(producer)
  }

  value(name: string): Value | undefined {
    return (
      this.inputs.find((input) => input.name === name) ??
      this.outputs.find((output) => output.name === name) ??
      this.values.get(name) ??
      this.outer?.value(name)
    )
  }

  /** Whether any node or graph output reads the value. */
  isUsed(value: string): boolean {
    return this.list.hasConsumers(value) || this.isGraphOutput(value)
  }

  // Names.

  /** A value name that nothing in the model uses; taken from then on. */
  uniqueName(hint: string): string {
    return this.names.unique(hint)
  }

  // Nodes.

  /** Adds at the end; `finish` moves it before its readers. Returns the new node. */
  addNode(spec: NodeSpec): Node {
    return this.add(spec, undefined)
  }

  insertBefore(node: Node, spec: NodeSpec): Node {
    return this.add(spec, node)
  }

  insertAfter(node: Node, spec: NodeSpec): Node {
    return this.add(spec, this.list.after(node))
  }

  /** Puts new nodes into the place of one. The last makes the outputs of the old by default. */
  replaceNode(node: Node, specs: NodeSpec | readonly NodeSpec[]): readonly Node[] {
    const old = this.require(node)
    const list: readonly NodeSpec[] = 'opType' in specs ? [specs] : specs
    const added = list.map((spec, i) =>
      this.add(i < list.length - 1 ? spec : { outputs: old.outputs, ...spec }, old),
    )
    this.list.remove(old)
    return added
  }

  /** Changes some fields of a node in its place. Returns the new version. */
  updateNode(node: Node, changes: Partial<Omit<Node, 'name'>>): Node {
    const updated = { ...this.require(node), ...changes }
    updated.outputs.forEach((name) => this.names.take(name))
    this.list.replace(node, updated)
    return updated
  }

  setInput(node: Node, position: number, value: string): Node {
    const { inputs } = this.require(node)
    const next = Array.from({ length: Math.max(inputs.length, position + 1) }, (_, i) =>
      i === position ? value : (inputs[i] ?? ''),
    )
    return this.updateNode(node, { inputs: next })
  }

  /** Removes a node. Its outputs must not be read any more when the edit is finished. */
  removeNode(node: Node): void {
    this.list.remove(node)
  }

  /**
   * Everything that read `value` reads `by` instead, bodies of If, Loop and Scan included. A graph
   * output keeps its name and shows `by` from then on.
   */
  replaceUses(value: string, by: string, options: ReplaceUsesOptions = {}): void {
    if (value === by) return
    const kept = new Set((options.except ?? []).map((node) => this.list.current(node)))
    for (const node of this.list.consumers(value)) {
      if (!kept.has(node)) this.list.replace(node, renameReads(node, value, by))
    }
    for (const [output, source] of this.sources) if (source === value) this.sources.set(output, by)
  }

  /**
   * Edits the bodies of If, Loop and Scan in a node: `edit` gets an editor for each, which shares
   * this one's names and sees the constants around it. Bodies inside a body are `edit`'s business.
   * Returns the node as it is now.
   */
  editBodies(node: Node, edit: (body: GraphEditor) => void): Node {
    const old = this.require(node)
    const changed = mapSubgraphs(old, (graph) => {
      const body = new GraphEditor({ ...this.model, graph }, this)
      edit(body)
      const after = body.finish().graph
      return isSame(graph, after) ? graph : after
    })
    return changed === old ? old : this.updateNode(old, { attributes: changed.attributes })
  }

  // Values.

  /** Adds a tensor under a fresh name made from `hint`, and returns that name. */
  addInitializer(hint: string, tensor: Tensor): string {
    const name = this.names.unique(hint)
    this.initializers.set(name, tensor)
    return name
  }

  /** Removes initializers that nothing reads and, by request, graph inputs that have one. */
  removeUnusedInitializers(): readonly string[] {
    const unused = [...this.initializers.keys()].filter((name) => !this.isUsed(name))
    for (const name of unused) this.initializers.delete(name)
    const gone = new Set(unused)
    this.inputs = this.inputs.filter((input) => !gone.has(input.name))
    return unused
  }

  /** Declares the type of an inner value. */
  setValueInfo(value: Value): void {
    this.values.set(value.name, value)
  }

  /** Forgets the declared type of an inner value, e.g. where its shape or type changes. */
  removeValueInfo(name: string): void {
    this.values.delete(name)
  }

  setInputs(inputs: readonly Value[]): void {
    inputs.forEach(({ name }) => this.names.take(name))
    this.inputs = inputs
  }

  /** Replaces the graph outputs; each shows the value of its name. */
  setOutputs(outputs: readonly Value[]): void {
    outputs.forEach(({ name }) => this.names.take(name))
    this.outputs = outputs
    this.sources = new Map(outputs.map(({ name }) => [name, name]))
  }

  /** The edited model: outputs under their names, nodes in topological order. */
  finish(): Model {
    for (const { name } of this.outputs) this.settleOutput(name)
    const nodes = topologicalOrder([...this.list])
    const defined = new Set<string>()
    for (const node of nodes) for (const name of node.outputs) defined.add(name)
    const listed = new Set([...this.inputs, ...this.outputs].map(({ name }) => name))
    const graph: Graph = {
      ...this.model.graph,
      nodes,
      inputs: this.inputs,
      outputs: this.outputs,
      initializers: this.initializers,
      valueInfo: [...this.values.values()].filter(
        ({ name }) => !listed.has(name) && (defined.has(name) || this.initializers.has(name)),
      ),
    }
    return { ...this.model, graph }
  }

  private add(spec: NodeSpec, before: Node | undefined): Node {
    const hint = spec.name ?? spec.opType
    const name = this.nodeNames.unique(hint)
    const outputs = spec.outputs ?? [this.names.unique(`${name}_output`)]
    outputs.forEach((output) => this.names.take(output))
    const node: Node = {
      name,
      opType: spec.opType,
      domain: spec.domain ?? '',
      inputs: spec.inputs,
      outputs,
      attributes:
        spec.attributes instanceof Map
          ? (spec.attributes as ReadonlyMap<string, Attribute>)
          : new Map(Object.entries(spec.attributes ?? {})),
      metadataProps: spec.metadataProps ?? [],
      ...(spec.docString === undefined ? {} : { docString: spec.docString }),
    }
    this.list.insert(node, before)
    return node
  }

  private require(node: Node): Node {
    const current = this.list.current(node)
    if (current !== undefined) return current
    throw errors.graph_edit_invalid(`node "${node.name}" (${node.opType}) is not in the graph`)
  }

  /** Gives the value that an output shows the output's name, by renaming or through an Identity. */
  private settleOutput(output: string): void {
    const source = this.sources.get(output)!
    if (source === output) return
    if (this.isGraphInput(output)) {
      throw errors.graph_edit_invalid(
        `"${output}" is an input and an output of the graph: it cannot show another value`,
      )
    }
    if (this.producer(output) !== undefined || this.initializers.has(output)) {
      this.rename(output, this.names.unique(output))
    }
    const isSettled = this.sources.get(source) === source
    if (this.producer(source) !== undefined && !isSettled) {
      this.rename(source, output)
      return
    }
    const shown = this.sources.get(output)!
    this.addNode({ opType: 'Identity', inputs: [shown], outputs: [output] })
    this.sources.set(output, output)
  }

  private rename(from: string, to: string): void {
    const producer = this.producer(from)
    if (producer !== undefined) {
      this.list.replace(producer, { ...producer, outputs: replaceName(producer.outputs, from, to) })
    }
    const tensor = this.initializers.get(from)
    if (tensor !== undefined) {
      this.initializers.delete(from)
      this.initializers.set(to, tensor)
    }
    const declared = this.values.get(from)
    if (declared !== undefined) {
      this.values.delete(from)
      this.values.set(to, { ...declared, name: to })
    }
    this.replaceUses(from, to)
  }
}

function isSame(before: Graph, after: Graph): boolean {
  return (
    before.nodes.length === after.nodes.length &&
    before.nodes.every((node, i) => node === after.nodes[i]) &&
    before.initializers.size === after.initializers.size &&
    [...before.initializers.keys()].every((name) => after.initializers.has(name))
  )
}
