// Which of the other nodes compute on the data, and say so: nothing is skipped in silence.
import {
  type Diagnostic,
  intAttribute,
  type Model,
  type Node,
  onnxOpset,
  readValues,
  subgraphsOf,
  walkNodes,
} from '@pare/graph'
import { isNeverInteger, opFacts } from '@pare/ops'

import { isBranching } from '../branches/branches.js'
import { staysFloat, toDiagnostic } from '../report/decision.js'
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

const FLOATS: ReadonlySet<string> = new Set(['float32', 'float16', 'float64'])
/** TensorProto.DataType of the same. */
const CAST_TO_FLOAT: ReadonlySet<number> = new Set([1, 10, 11])

/** Nodes that compute on the model's float data, as opposed to shapes and indices. */
export function dataPath({ graph }: Model): ReadonlySet<Node> {
  const inputs = (isData: boolean) =>
    graph.inputs
      .filter(({ type }) => (type === undefined || isFloat(type)) === isData)
      .map(({ name }) => name)
  const data = new Set(inputs(true))
  /** Tokens, masks, pixels in bytes: data too, from where they become floats. */
  const codes = new Set(inputs(false))
  const nodes = new Set<Node>()
  for (const node of graph.nodes) {
    if (LEAVES_THE_DATA.has(node.opType)) continue
    // What a body reads from outside counts as well.
    const read = [...readValues(node)]
    const readsData = read.some((input) => data.has(input))
    if (readsData) nodes.add(node)
    else if (!read.some((input) => codes.has(input))) continue
    const isData = readsData || makesFloats(node, graph)
    for (const output of node.outputs) (isData ? data : codes).add(output)
  }
  return nodes
}

/** A node that reads codes: does it look them up in floats (an embedding), or convert them? */
function makesFloats(node: Node, { initializers }: Model['graph']): boolean {
  if (node.opType === 'Cast') return CAST_TO_FLOAT.has(intAttribute(node, 'to', 0))
  return node.inputs.some((input) => FLOATS.has(initializers.get(input)?.dataType ?? ''))
}

/** A diagnostic for each node on the data path that stays float. */
export function floatDiagnostics(model: Model, placement: Placement): readonly Diagnostic[] {
  const folded = new Set([...placement.emitters.values()].flatMap(({ clamps }) => clamps))
  const diagnostics: Diagnostic[] = []
  for (const node of dataPath(model)) {
    const stays = placement.floats.get(node)
    if (stays !== undefined) diagnostics.push(toDiagnostic(node, stays))
    else if (isBranching(node)) continue
    else if (subgraphsOf(node).length > 0) diagnostics.push(withBodies(node))
    else if (!folded.has(node) && isNeverInteger(node, onnxOpset(model))) {
      diagnostics.push(withoutKernel(node))
    }
  }
  return diagnostics
}

/** What is in a body of Loop or Scan, whose values differ from round to round, is not looked at. */
function withBodies(node: Node): Diagnostic {
  const inner = subgraphsOf(node).flatMap((body) => [...walkNodes(body, { subgraphs: 'visit' })])
  const layers = inner.filter((one) => opFacts(one)?.weightInput !== undefined).length
  const count = layers === 1 ? '1 layer' : `${layers} layers`
  return toDiagnostic(
    node,
    staysFloat('in_subgraph', `${count} with weights in its bodies stay float`),
  )
}

function withoutKernel(node: Node): Diagnostic {
  return toDiagnostic(
    node,
    staysFloat('no_integer_kernel', `onnxruntime has no integer kernel for ${node.opType}`),
  )
}

function isFloat(type: NonNullable<Model['graph']['inputs'][number]['type']>): boolean {
  return type.kind === 'tensor' && FLOATS.has(type.elementType)
}
