// Which of the other nodes compute on the data, and say so: nothing is skipped in silence.
import { type Diagnostic, type Model, type Node, onnxOpset } from '@pare/graph'
import { isNeverInteger } from '@pare/ops'

import { staysFloat, toDiagnostic } from './decision.js'
import type { Placement } from './placement.js'

/** Results that are shapes, indices or truth values, not data. */
const LEAVES_THE_DATA: ReadonlySet<string> = new Set([
  'ArgMax',
  'ArgMin',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'NonZero',
  'Shape',
  'Size',
])

/** Nodes that compute on the model's float data, as opposed to shapes and indices. */
export function dataPath(model: Model): ReadonlySet<Node> {
  const data = new Set(
    model.graph.inputs
      .filter(({ type }) => type === undefined || isFloat(type))
      .map(({ name }) => name),
  )
  const nodes = new Set<Node>()
  for (const node of model.graph.nodes) {
    if (!node.inputs.some((input) => data.has(input)) || LEAVES_THE_DATA.has(node.opType)) continue
    for (const output of node.outputs) data.add(output)
    nodes.add(node)
  }
  return nodes
}

/** A diagnostic for each node on the data path that stays float. */
export function floatDiagnostics(model: Model, placement: Placement): readonly Diagnostic[] {
  const folded = new Set([...placement.emitters.values()].flatMap(({ clamps }) => clamps))
  const diagnostics: Diagnostic[] = []
  for (const node of dataPath(model)) {
    const stays = placement.floats.get(node)
    if (stays !== undefined) diagnostics.push(toDiagnostic(node, stays))
    else if (!folded.has(node) && isNeverInteger(node, onnxOpset(model))) {
      diagnostics.push(withoutKernel(node))
    }
  }
  return diagnostics
}

function withoutKernel(node: Node): Diagnostic {
  return toDiagnostic(
    node,
    staysFloat('no_integer_kernel', `onnxruntime has no integer kernel for ${node.opType}`),
  )
}

function isFloat(type: NonNullable<Model['graph']['inputs'][number]['type']>): boolean {
  return type.kind === 'tensor' && ['float32', 'float16', 'float64'].includes(type.elementType)
}
