// What a model is made of: parameters, zeros among the weights, operators, multiply-accumulates.
import { type Graph, indexGraph, type Model, type Node, walkGraphs, walkNodes } from '@pare/graph'
import { macsOf, type ShapeOf } from '@pare/ops'
import { elementCount, type Tensor, toNumbers } from '@pare/tensor'

import { castWeights } from './cast-weights.js'
import { type PackedWeight, packedWeight } from './packed-weights.js'

export interface ModelFacts {
  /**
   * Elements of all constants with at least one dimension: weights, biases, tables. Scales and zero
   * points of quantization are no parameters.
   */
  readonly parameters: number
  /** Share of zeros among the elements of weights (constants of two dimensions or more). */
  readonly sparsity: number
  readonly nodes: number
  /** Nodes by operator, with the domain where it is not ONNX's own; bodies of If, Loop, Scan too. */
  readonly op_types: Readonly<Record<string, number>>
}

export function modelFacts(model: Model): ModelFacts {
  let [parameters, weights, zeros] = [0, 0, 0]
  for (const { tensor, zeroPoint, packed, columns } of constants(model)) {
    if (packed !== undefined) {
      parameters += packed.elements
      weights += packed.elements
      zeros += packed.zeros
      continue
    }
    const row = elementCount(tensor.dims.slice(1))
    const elements = columns === undefined ? elementCount(tensor.dims) : tensor.dims[0]! * columns
    if (tensor.dims.length > 0) parameters += elements
    if (tensor.dims.length < 2 || !isWeight(tensor)) continue
    weights += elements
    zeros += countZeros(tensor, zeroPoint, { row, columns: columns ?? row })
  }
  const opTypes = opTypesOf(model)
  return {
    parameters,
    sparsity: weights === 0 ? 0 : zeros / weights,
    nodes: Object.values(opTypes).reduce((sum, count) => sum + count, 0),
    op_types: opTypes,
  }
}

interface Constant {
  readonly tensor: Tensor
  /** What stands for zero, where a DequantizeLinear node or a subtraction says so. */
  readonly zeroPoint?: ZeroPoint
  /** What it holds, where that is several weights to a byte. */
  readonly packed?: PackedWeight
  /** Weights that a row really has, where rows were filled up. */
  readonly columns?: number | undefined
}

interface ZeroPoint {
  readonly tensor: Tensor
  readonly axis: number
}

function* constants(model: Model): Generator<Constant> {
  for (const graph of walkGraphs(model.graph)) {
    const index = indexGraph(graph)
    const zeroPoints = new Map<string, ZeroPoint>()
    const packedWeights = new Map<string, PackedWeight>()
    for (const node of graph.nodes) {
      const packed = packedWeight(node, (name) => index.constant(name))
      if (packed !== undefined) packedWeights.set(node.inputs[1]!, packed)
      const zeroPoint = node.opType === 'DequantizeLinear' && index.constant(node.inputs[2] ?? '')
      if (zeroPoint) zeroPoints.set(node.inputs[0]!, { tensor: zeroPoint, axis: axisOf(node) })
      const value = node.opType === 'Constant' && node.attributes.get('value')
      if (value && value.type === 'tensor') yield { tensor: value.value }
    }
    const casts = castWeights(graph, index)
    for (const [name, tensor] of casts.zeroPoints) {
      zeroPoints.set(name, { tensor, axis: tensor.dims.findLastIndex((size) => size > 1) })
    }
    const quantizationParameters = new Set([
      ...findQuantizationParameters(graph),
      ...casts.parameters,
    ])
    for (const [name, tensor] of graph.initializers) {
      if (quantizationParameters.has(name)) continue
      const [zeroPoint, packed] = [zeroPoints.get(name), packedWeights.get(name)]
      if (packed !== undefined) yield { tensor, packed }
      else {
        const stored = { tensor, columns: casts.columns.get(name) }
        yield zeroPoint === undefined ? stored : { ...stored, zeroPoint }
      }
    }
  }
}

/** Scales and zero points of QuantizeLinear, DequantizeLinear and MatMulNBits nodes. */
function findQuantizationParameters(graph: Graph): ReadonlySet<string> {
  return new Set(
    graph.nodes.flatMap(({ opType, inputs }) => {
      if (opType === 'MatMulNBits') return inputs.slice(2, 5)
      return opType === 'QuantizeLinear' || opType === 'DequantizeLinear' ? inputs.slice(1) : []
    }),
  )
}

function axisOf(node: Node): number {
  const axis = node.attributes.get('axis')
  return axis?.type === 'int' ? Number(axis.value) : 1
}

/** Indices, shapes and texts are no weights. */
function isWeight({ dataType, data }: Tensor): boolean {
  return data.kind !== 'strings' && !/^(u?int(32|64)|bool|string|complex)/.test(dataType)
}

/** Among the first `columns` of each row of so many elements. */
function countZeros(
  tensor: Tensor,
  zeroPoint: ZeroPoint | undefined,
  { row, columns }: { readonly row: number; readonly columns: number },
): number {
  const values = toNumbers(tensor) as ArrayLike<number>
  const zeroAt = zeroLookup(tensor, zeroPoint)
  let zeros = 0
  for (let index = 0; index < values.length; index++) {
    if (index % row < columns && values[index] === zeroAt(index)) zeros++
  }
  return zeros
}

/** The zero of each element: one for the tensor, or one per index of an axis. */
function zeroLookup(tensor: Tensor, zeroPoint: ZeroPoint | undefined): (index: number) => number {
  if (zeroPoint === undefined) return () => 0
  const zeros = toNumbers(zeroPoint.tensor) as ArrayLike<number>
  const first = zeros[0] ?? 0
  if (Array.from(zeros).every((zero) => zero === first)) return () => first
  const axis = zeroPoint.axis < 0 ? zeroPoint.axis + tensor.dims.length : zeroPoint.axis
  const inner = elementCount(tensor.dims.slice(axis + 1))
  return (index) => zeros[Math.floor(index / inner) % zeros.length]!
}

/** Nodes by operator, as `ModelFacts` has them, without looking at weights. */
export function opTypesOf(model: Model): Readonly<Record<string, number>> {
  const counts = new Map<string, number>()
  for (const { opType, domain } of walkNodes(model.graph, { subgraphs: 'visit' })) {
    const name = domain === '' ? opType : `${domain}::${opType}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export interface MacCount {
  /** Multiply-accumulates of one sample. */
  readonly macs: number
  /** Nodes that multiply but whose shapes are not known: their work is missing from the count. */
  readonly nodes_not_counted: number
}

/** `shapeOf` has the shapes of a run on `rows` samples. */
export function countMacs(model: Model, shapeOf: ShapeOf, rows: number): MacCount {
  let macs = 0
  let missing = 0
  for (const node of walkNodes(model.graph, { subgraphs: 'visit' })) {
    const count = macsOf(node, shapeOf)
    if (count === undefined) missing++
    else macs += count
  }
  return { macs: macs / rows, nodes_not_counted: missing }
}
