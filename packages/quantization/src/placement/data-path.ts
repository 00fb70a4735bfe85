// Which nodes compute on the data.
import { intAttribute, type Model, type Node, readValues } from '@pare/graph'
import { opSet } from '@pare/ops'

/** Results that are shapes, indices or truth values, not data. */
const LEAVES_THE_DATA = opSet(
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
)

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

function isFloat(type: NonNullable<Model['graph']['inputs'][number]['type']>): boolean {
  return type.kind === 'tensor' && FLOATS.has(type.elementType)
}
