// Reads the model into scopes: the type of every value, the group of every float port, and who
// reads what. Nothing is decided here beyond what a single node tells.
import {
  type Graph,
  type Model,
  type Node,
  opsetVersion,
  subgraphsOf,
  type ValueType,
} from '@pare/graph'
import { opFacts } from '@pare/ops'

import { readControlFlow } from './control-flow.js'
import type { CastableValue, TypeGroup, Width } from './fewest-casts.js'
import {
  type Candidate,
  computesCounts,
  mustBeNarrow,
  passesCounts,
  staysWide,
} from './node-decision.js'
import type { ResolvedFloat16Options } from './options.js'
import { findValue, type Scope, type ScopedNode, type ScopedValue } from './scope.js'
import { type KnownType, type Port, type Signature, signatureOf } from './signature.js'
import { castSource, constantValue, isCastLike, madeType } from './type-makers.js'

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

  constructor(model: Model, options: ResolvedFloat16Options) {
    this.model = model
    this.options = options
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
      const read =
        readMaker(this, scope, node, inputs) ??
        readControlFlow(this, { scope, node, inputs, isFrozen }) ??
        readOperator(this, { scope, node, inputs, isFrozen })
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

export interface NodeInScope {
  readonly scope: Scope
  readonly node: Node
  readonly inputs: readonly (ScopedValue | undefined)[]
  readonly isFrozen: boolean
}

/** Cast, CastLike, Constant and ConstantOfShape: an attribute or an example says what they make. */
function readMaker(
  analysis: Analysis,
  scope: Scope,
  node: Node,
  inputs: readonly (ScopedValue | undefined)[],
): ScopedNode | undefined {
  const example = isCastLike(node) ? inputs[1]?.type : undefined
  const type = example ?? madeType(node)
  const name = node.outputs[0]
  if (type === undefined || type === 'unknown' || name === undefined) return undefined
  const constant = constantValue(node)
  const base = { node, inputs, bodies: [], wanted: [] }
  const isCast = castSource(node) !== undefined || example === 'float32'
  const source = isCast ? inputs[0] : undefined
  const cast = source === undefined ? {} : { castOf: source }
  if (type !== 'float32') {
    return { ...base, ...cast, outputs: [analysis.addValue(scope, name, { type })] }
  }
  if (constant !== undefined) {
    return { ...base, outputs: [analysis.addValue(scope, name, { type, constant })] }
  }
  const isCount = source !== undefined && (isInteger(source.type) || source.isCount)
  const origin = analysis.newGroup(isCount ? 'wide' : undefined)
  return { ...base, ...cast, outputs: [analysis.addValue(scope, name, { type, origin, isCount })] }
}

const NOT_COUNTS: ReadonlySet<KnownType> = new Set([
  'bool',
  'float16',
  'bfloat16',
  'float32',
  'float64',
])

/** `other` counts as an integer: what is neither bool nor float, and unknown may be one. */
function isInteger(type: KnownType): boolean {
  return !NOT_COUNTS.has(type)
}

function readOperator(
  analysis: Analysis,
  { scope, node, inputs, isFrozen }: NodeInScope,
): ScopedNode {
  const signature = signatureOf(node, analysis.versionOf(node))
  const ports = floatPorts(analysis, { scope, node, inputs, signature })
  const candidate: Candidate = {
    node,
    inputs: inputs.filter((value, i): value is ScopedValue => ports.inputs[i] === 'eligible'),
    outputNames: node.outputs.filter((_, i) => ports.outputs[i]?.isEligible),
    isObserved: scope === analysis.root,
    isInFrozenBody: isFrozen,
    isKnown: signature !== undefined,
    hasNarrowType:
      ports.outputs.some((port) => port.isEligible) || ports.inputs.includes('eligible'),
    hasUnknownType: ports.hasUnknownType,
  }
  const hasFloats =
    ports.inputs.some((port) => port !== undefined) ||
    ports.outputs.some(({ type }) => type === 'float32')
  const stays = hasFloats ? staysWide(candidate, analysis.options) : undefined
  const group = analysis.newGroup(stays === undefined ? mustBeNarrow(candidate) : 'wide')
  const isCount = passesCounts(candidate) && computesCounts(candidate)
  markDivisors(node, inputs)
  return {
    node,
    inputs,
    ...(hasFloats ? { group } : {}),
    wanted: ports.inputs.map((port) => (port === 'eligible' ? group : port && analysis.wide)),
    outputs: node.outputs.map((name, i) => {
      const { type, isEligible } = ports.outputs[i]!
      const origin = isEligible ? group : analysis.wide
      return name === '' ? undefined : analysis.addValue(scope, name, { type, origin, isCount })
    }),
    bodies: readFrozenBodies(analysis, scope, node),
    ...(stays === undefined ? {} : { stays }),
  }
}

/** Bodies of operators that are not If, Loop or Scan: nothing is known about their borders. */
function readFrozenBodies(analysis: Analysis, scope: Scope, node: Node): readonly Scope[] {
  return subgraphsOf(node).map((graph) => {
    const body = analysis.readBody(graph, {
      parent: scope,
      isFrozen: true,
      castCost: scope.castCost,
      inputs: [],
    })
    for (const { name } of graph.outputs) analysis.addOutput(body, name, analysis.wide)
    return body
  })
}

interface FloatPorts {
  /** `eligible`: may be narrow; `fixed`: float32 it is and must be; undefined: no float32. */
  readonly inputs: readonly ('eligible' | 'fixed' | undefined)[]
  readonly outputs: readonly { readonly type: KnownType; readonly isEligible: boolean }[]
  readonly hasUnknownType: boolean
}

function floatPorts(
  analysis: Analysis,
  {
    scope,
    node,
    inputs,
    signature,
  }: Omit<NodeInScope, 'isFrozen'> & { readonly signature: Signature | undefined },
): FloatPorts {
  const bound = new Map<string, KnownType>()
  const inputPort = (i: number) => signature?.input(i)
  for (const [i, value] of inputs.entries()) {
    const port = inputPort(i)
    if (port?.kind !== 'variable' || value === undefined) continue
    if (!bound.has(port.name) || value.type === 'unknown') bound.set(port.name, value.type)
  }
  const outputs = node.outputs.map((name, i) =>
    outputType(signature?.output(i), bound, () => analysis.declaredType(scope, name)),
  )
  // A float output that no input decides has its type from an attribute, which stays as it is;
  // what goes into a sequence has the type of its other elements.
  const mayConvert =
    outputs.every(({ isBound, type }) => isBound || type !== 'float32') &&
    opFacts(node)?.family !== 'sequence'
  const allows = (port: Port | undefined) =>
    mayConvert &&
    port?.kind === 'variable' &&
    bound.get(port.name) === 'float32' &&
    signature!.allows(port.name, analysis.options.type)
  return {
    inputs: inputs.map((value, i) => {
      if (value?.type !== 'float32') return undefined
      return allows(inputPort(i)) && !isKeptInput(node, i) ? 'eligible' : 'fixed'
    }),
    outputs: outputs.map(({ type }, i) => ({ type, isEligible: allows(signature?.output(i)) })),
    hasUnknownType: [...bound.values()].includes('unknown'),
  }
}

function outputType(
  port: Port | undefined,
  bound: ReadonlyMap<string, KnownType>,
  declared: () => KnownType,
): { readonly type: KnownType; readonly isBound: boolean } {
  if (port?.kind === 'fixed') return { type: port.type, isBound: true }
  const type = port === undefined ? undefined : bound.get(port.name)
  if (type !== undefined && type !== 'unknown') return { type, isBound: true }
  return { type: declared(), isBound: false }
}

/** Kernels read Resize's region of interest as float32 whatever the definition allows. */
function isKeptInput(node: Node, position: number): boolean {
  return node.opType === 'Resize' && position === 1
}

/** Inputs for which 0 is a singularity. */
const DIVISORS: Readonly<Record<string, number>> = { Div: 1, Log: 0, Reciprocal: 0 }

function markDivisors(node: Node, inputs: readonly (ScopedValue | undefined)[]): void {
  const position = DIVISORS[node.opType]
  const divisor = position === undefined ? undefined : inputs[position]
  if (divisor !== undefined) divisor.isDivisor = true
}
