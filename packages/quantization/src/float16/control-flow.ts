// Types across the borders of If, Loop and Scan bodies. Rules:
// 1. The branches of an If and its output have one type each, whichever needs the fewest Casts.
// 2. What a Loop or Scan carries from one iteration to the next stays float32: rounding errors
//    would add up.
// 3. What it reads or collects slice by slice has one type on both sides of the border.
// 4. A captured value is cast where it is made: once, not once per iteration.
import { type Graph, intAttribute, type Node, subgraphsOf } from '@pare/graph'

import type { Analysis, NodeInScope } from './analysis.js'
import type { TypeGroup } from './fewest-casts.js'
import { findValue, type Scope, type ScopedNode, type ScopedValue } from './scope.js'
import type { KnownType } from './signature.js'

/** How much more a Cast inside a loop costs than one outside. */
const ITERATIONS = 8

/** Undefined for other operators, and for the Scan of opset 8, whose inputs lie differently. */
export function readControlFlow(analysis: Analysis, at: NodeInScope): ScopedNode | undefined {
  const { node, isFrozen } = at
  if (node.domain !== '' || isFrozen) return undefined
  switch (node.opType) {
    case 'If':
      return readIf(analysis, at)
    case 'Loop':
      return readLoop(analysis, at)
    case 'Scan':
      return analysis.versionOf(node) < 9 ? undefined : readScan(analysis, at)
    default:
      return undefined
  }
}

function readIf(analysis: Analysis, { scope, node, inputs }: NodeInScope): ScopedNode {
  const bodies = subgraphsOf(node).map((graph) =>
    analysis.readBody(graph, {
      parent: scope,
      isFrozen: false,
      castCost: scope.castCost,
      inputs: [],
    }),
  )
  const groups = node.outputs.map((_, i) => {
    const given = bodies.map((body) => findValue(body, body.graph.outputs[i]?.name ?? ''))
    return given.every((value) => value?.type === 'float32') ? analysis.newGroup() : analysis.wide
  })
  for (const body of bodies) addOutputs(analysis, body, groups)
  const outputs = addResults(analysis, scope, node, { bodies, groups })
  return { ...bare(node, inputs), bodies, outputs }
}

/** Inputs: count, condition, carried. Body: iteration, condition, carried → condition, carried, collected. */
function readLoop(analysis: Analysis, { scope, node, inputs }: NodeInScope): ScopedNode {
  const carried = inputs.slice(2)
  const groups = node.outputs.map((_, i) =>
    i < carried.length ? analysis.wide : analysis.newGroup(),
  )
  const given = [NOTHING, NOTHING, ...carried.map((value) => border(value, analysis.wide))]
  const bodies = readIterated(analysis, { scope, node, given })
  for (const body of bodies) addOutputs(analysis, body, [analysis.wide, ...groups])
  return {
    ...bare(node, inputs),
    wanted: inputs.map((value) => wantedOf(value, analysis.wide)),
    bodies,
    outputs: addResults(analysis, scope, node, { bodies, groups, skipped: 1 }),
  }
}

/** Inputs: carried, then sliced; outputs: carried, then collected; the body has the same. */
function readScan(analysis: Analysis, { scope, node, inputs }: NodeInScope): ScopedNode {
  const carried = inputs.length - intAttribute(node, 'num_scan_inputs', 0)
  const groupAt = (i: number) => (i < carried ? analysis.wide : analysis.newGroup())
  const wanted = inputs.map((value, i) => wantedOf(value, groupAt(i)))
  const groups = node.outputs.map((_, i) => groupAt(i))
  const given = inputs.map((value, i) => border(value, wanted[i]))
  const bodies = readIterated(analysis, { scope, node, given })
  for (const body of bodies) addOutputs(analysis, body, groups)
  return {
    ...bare(node, inputs),
    wanted,
    bodies,
    outputs: addResults(analysis, scope, node, { bodies, groups }),
  }
}

interface Border {
  readonly type: KnownType
  readonly group?: TypeGroup
}

const NOTHING: Border = { type: 'other' }

function border(value: ScopedValue | undefined, group: TypeGroup | undefined): Border {
  return { type: value?.type ?? 'unknown', ...(group === undefined ? {} : { group }) }
}

function wantedOf(value: ScopedValue | undefined, group: TypeGroup): TypeGroup | undefined {
  return value?.type === 'float32' ? group : undefined
}

function bare(node: Node, inputs: readonly (ScopedValue | undefined)[]) {
  return { node, inputs, wanted: [] }
}

function readIterated(
  analysis: Analysis,
  { scope, node, given }: { scope: Scope; node: Node; given: readonly Border[] },
): readonly Scope[] {
  return subgraphsOf(node).map((graph: Graph) =>
    analysis.readBody(graph, {
      parent: scope,
      isFrozen: false,
      castCost: scope.castCost * ITERATIONS,
      inputs: given,
    }),
  )
}

function addOutputs(analysis: Analysis, body: Scope, groups: readonly TypeGroup[]): void {
  for (const [i, { name }] of body.graph.outputs.entries()) {
    analysis.addOutput(body, name, groups[i] ?? analysis.wide)
  }
}

/** The node's outputs have the types of what its bodies give, after `skipped` of their outputs. */
function addResults(
  analysis: Analysis,
  scope: Scope,
  node: Node,
  {
    bodies,
    groups,
    skipped = 0,
  }: { bodies: readonly Scope[]; groups: readonly TypeGroup[]; skipped?: number },
): readonly (ScopedValue | undefined)[] {
  return node.outputs.map((name, i) => {
    if (name === '') return undefined
    const given = bodies[0]?.outputs[i + skipped]?.value.type
    const type = given ?? analysis.declaredType(scope, name)
    return analysis.addValue(scope, name, { type, origin: groups[i]! })
  })
}
