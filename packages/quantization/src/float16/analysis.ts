// The walk over a model's graphs into scopes: the type of every value, the group of every float port,
// and who reads what. How a node is read is handed in.
import { type Graph, type Model, type Node, opsetVersion, type ValueType } from '@pare/graph'

import type { CastableValue, TypeGroup, Width } from './fewest-casts.js'
import type { ResolvedFloat16Options } from './options.js'
import { findValue, type Scope, type ScopedNode, type ScopedValue } from './scope.js'
import type { KnownType } from './signature.js'

export interface NodeInScope {
  readonly scope: Scope
  readonly node: Node
  readonly inputs: readonly (ScopedValue | undefined)[]
  readonly isFrozen: boolean
}

/** Reads a node, and its bodies by `readBody`. */
export type ReadNode = (analysis: Analysis, at: NodeInScope) => ScopedNode

export interface ReadGraphOptions {
  readonly parent: Scope
  readonly isFrozen: boolean
  readonly castCost: number
  /** By position of the body's input. */
  readonly inputs: readonly { readonly type: KnownType; readonly group?: TypeGroup }[]
}

/** What the walk over the model collects. */
export class Analysis {
  readonly options: ResolvedFloat16Options
  readonly groups: TypeGroup[] = []
  readonly values: ScopedValue[] = []
  /** Ports that are always float32, and ports that are always narrow. */
  readonly wide = this.newGroup('wide')
  readonly narrow = this.newGroup('narrow')
  readonly root: Scope
  private readonly model: Model
  private readonly readNode: ReadNode

  constructor(model: Model, options: ResolvedFloat16Options, readNode: ReadNode) {
    this.model = model
    this.options = options
    this.readNode = readNode
    const border = options.keepIoTypes ? this.wide : this.narrow
    this.root = this.newScope(model.graph, undefined, 1)
    for (const input of model.graph.inputs) {
      const type = input.type?.kind === 'tensor' ? input.type.elementType : unstated(input.type)
      this.addValue(this.root, input.name, { type, origin: border })
    }
    this.readNodes(this.root, false)
    for (const { name } of model.graph.outputs) this.addOutput(this.root, name, border)
  }

  newGroup(pinned?: Width): TypeGroup {
    const group: TypeGroup = { width: 'wide', ...(pinned === undefined ? {} : { pinned }) }
    this.groups.push(group)
    return group
  }

  castableValues(): readonly CastableValue[] {
    return this.values.flatMap(({ origin, readers, scope }) =>
      origin === undefined ? [] : [{ origin, readers, cost: scope.castCost }],
    )
  }

  /** Reads a body up to its outputs, which the caller adds: only then their types are known. */
  readBody(graph: Graph, { parent, isFrozen, castCost, inputs }: ReadGraphOptions): Scope {
    const scope = this.newScope(graph, parent, castCost)
    for (const [position, { name, type: declared }] of graph.inputs.entries()) {
      const given = inputs[position]
      const type = declared?.kind === 'tensor' ? declared.elementType : (given?.type ?? 'unknown')
      this.addValue(scope, name, { type, origin: given?.group ?? this.wide })
    }
    this.readNodes(scope, isFrozen)
    return scope
  }

  addOutput(scope: Scope, name: string, group: TypeGroup): ScopedValue | undefined {
    const value = findValue(scope, name)
    if (value === undefined) return undefined
    const isFloat = value.type === 'float32'
    scope.outputs.push({ value, ...(isFloat ? { group } : {}) })
    if (isFloat) value.readers.add(group)
    if (value.scope === scope) value.shown ??= group
    return value
  }

  addValue(
    scope: Scope,
    name: string,
    facts: Pick<ScopedValue, 'type' | 'origin' | 'constant'> & { readonly isCount?: boolean },
  ): ScopedValue {
    const isFloat = facts.type === 'float32'
    const value: ScopedValue = {
      name,
      scope,
      type: facts.type,
      ...(isFloat && facts.origin !== undefined ? { origin: facts.origin } : {}),
      ...(isFloat && facts.constant !== undefined ? { constant: facts.constant } : {}),
      readers: new Set(),
      isCount: facts.isCount ?? false,
      isDivisor: false,
    }
    scope.values.set(name, value)
    this.values.push(value)
    return value
  }

  /** The type that the file or the caller states for a value that no rule gives one. */
  declaredType(scope: Scope, name: string): KnownType {
    const { graph } = scope
    const declared = [...graph.valueInfo, ...graph.outputs].find((value) => value.name === name)
    if (declared?.type?.kind === 'tensor') return declared.type.elementType
    const learned = scope === this.root ? this.options.types?.get(name)?.dataType : undefined
    return learned ?? unstated(declared?.type)
  }

  private newScope(graph: Graph, parent: Scope | undefined, castCost: number): Scope {
    const scope: Scope = { graph, parent, values: new Map(), nodes: [], castCost, outputs: [] }
    const listed = new Set(graph.inputs.map(({ name }) => name))
    for (const [name, tensor] of graph.initializers) {
      if (!listed.has(name)) this.addValue(scope, name, { type: tensor.dataType, constant: tensor })
    }
    for (const { name, values } of graph.sparseInitializers) {
      this.addValue(scope, name, { type: values.dataType, origin: this.wide })
    }
    return scope
  }

  private readNodes(scope: Scope, isFrozen: boolean): void {
    for (const node of scope.graph.nodes) {
      const inputs = node.inputs.map((name) => (name === '' ? undefined : findValue(scope, name)))
      const read = this.readNode(this, { scope, node, inputs, isFrozen })
      for (const [i, group] of read.wanted.entries()) {
        if (group !== undefined) inputs[i]?.readers.add(group)
      }
      scope.nodes.push(read)
    }
  }

  versionOf(node: Node): number {
    return opsetVersion(this.model, node.domain === 'ai.onnx' ? '' : node.domain)
  }
}

/** Sequences, maps and optionals are never float32 themselves. */
function unstated(type: ValueType | undefined): KnownType {
  return type === undefined || type.kind === 'unknown' ? 'unknown' : 'other'
}
