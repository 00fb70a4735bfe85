// What single nodes tell about types. Nothing is decided here beyond that.
import { type Model, type Node, subgraphsOf } from '@pare/graph'
import { opFacts, opRow, type OpTable } from '@pare/ops'

import { Analysis, type NodeInScope } from './analysis.js'
import { readControlFlow } from './control-flow.js'
import {
  type Candidate,
  computesCounts,
  mustBeNarrow,
  passesCounts,
  staysWide,
} from './node-decision.js'
import type { ResolvedFloat16Options } from './options.js'
import type { Scope, ScopedNode, ScopedValue } from './scope.js'
import { type KnownType, type Port, type Signature, signatureOf } from './signature.js'
import { castSource, constantValue, isCastLike, madeType } from './type-makers.js'

/** Reads a model into scopes. */
export function analyze(model: Model, options: ResolvedFloat16Options): Analysis {
  return new Analysis(model, options, readNode)
}

function readNode(analysis: Analysis, at: NodeInScope): ScopedNode {
  return readMaker(analysis, at) ?? readControlFlow(analysis, at) ?? readOperator(analysis, at)
}

/** Cast, CastLike, Constant and ConstantOfShape: an attribute or an example says what they make. */
function readMaker(
  analysis: Analysis,
  { scope, node, inputs }: NodeInScope,
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
const DIVISORS: OpTable<number> = { Div: 1, Log: 0, Reciprocal: 0 }

function markDivisors(node: Node, inputs: readonly (ScopedValue | undefined)[]): void {
  const position = opRow(DIVISORS, node)
  const divisor = position === undefined ? undefined : inputs[position]
  if (divisor !== undefined) divisor.isDivisor = true
}
