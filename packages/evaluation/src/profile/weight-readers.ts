// Which operator each constant of a model serves, through the nodes that only unpack it.
import {
  type Graph,
  type GraphIndex,
  indexGraph,
  type Model,
  type Node,
  walkGraphs,
} from '@pare/graph'
import { opSet } from '@pare/ops'
import { bitsOf, elementCount, type Tensor } from '@pare/tensor'

/** A constant, what it weighs in the file, and the node it is for. */
export interface ServedConstant {
  readonly name: string
  readonly tensor: Tensor
  readonly bytes: number
  /** Null where no node reads it. */
  readonly reader: Node | null
}

/** All constants of the model, those of bodies (If, Loop, Scan) too, each counted once. */
export function servedConstants(model: Model): readonly ServedConstant[] {
  return [...walkGraphs(model.graph)].flatMap((graph) => [...constantsOf(graph)])
}

function* constantsOf(graph: Graph): Generator<ServedConstant> {
  const index = indexGraph(graph)
  for (const [name, tensor] of graph.initializers) {
    yield { name, tensor, bytes: bytesOf(tensor), reader: readerOf(name, index) }
  }
  for (const node of graph.nodes) {
    const value = node.opType === 'Constant' ? node.attributes.get('value') : undefined
    if (value?.type !== 'tensor') continue
    const [name = ''] = node.outputs
    const tensor = value.value
    yield { name, tensor, bytes: bytesOf(tensor), reader: readerOf(name, index) }
  }
}

const MOVING = opSet('Cast', 'DequantizeLinear', 'Identity', 'Reshape', 'Slice', 'Transpose')
/** Of codes and scales, not of an activation and a constant. */
const COMBINING = opSet('Mul', 'Sub')

/** The first reader that computes with it. */
function readerOf(value: string, index: GraphIndex): Node | null {
  const reader = index.consumers(value)[0]
  if (reader === undefined) return null
  if (!unpacksConstant(reader, index)) return reader
  return readerOf(reader.outputs[0] ?? '', index) ?? reader
}

/** Of an activation the DequantizeLinear itself is what its scale is for. */
function unpacksConstant(node: Node, index: GraphIndex): boolean {
  const combines = COMBINING.has(node.opType)
  if (!combines && !MOVING.has(node.opType)) return false
  return (combines ? node.inputs : node.inputs.slice(0, 1)).every((value) => {
    if (index.constant(value) !== undefined) return true
    const source = index.producer(value)
    return source !== undefined && unpacksConstant(source, index)
  })
}

/** Small types packed as the file packs them; texts are not counted. */
function bytesOf({ dataType, dims, data }: Tensor): number {
  if (data.kind === 'bytes') return data.bytes.byteLength
  return dataType === 'string' ? 0 : Math.ceil((elementCount(dims) * bitsOf(dataType)) / 8)
}

/** Of the constants that are weights, of two dimensions or more, the nodes that they are for. */
export function weightReaders(constants: readonly ServedConstant[]): ReadonlyMap<string, Node> {
  return new Map(
    constants.flatMap(({ name, tensor, reader }) =>
      reader === null || tensor.dims.length < 2 ? [] : [[name, reader] as const],
    ),
  )
}
