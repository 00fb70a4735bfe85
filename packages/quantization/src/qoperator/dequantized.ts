// What a node of a QDQ model reads and writes in integers: its DequantizeLinear and QuantizeLinear
// neighbours.
import { type GraphIndex, intAttribute, type Node } from '@pare/graph'
import { type DataType, elementCount, type Tensor } from '@pare/tensor'

/** Integers and the parameters they are read with. */
export interface Quantized {
  readonly integers: string
  readonly scale: string
  /** Undefined: zero. */
  readonly zeroPoint: string | undefined
  /** The axis that has a scale per index; undefined for one scale. */
  readonly axis: number | undefined
}

const EIGHT_BITS: ReadonlySet<DataType> = new Set(['uint8', 'int8'])

/** The 8-bit value behind a float one; undefined where it is no DequantizeLinear of 8 bits. */
export function dequantized(value: string, index: GraphIndex): Quantized | undefined {
  const node = index.producer(value)
  if (node?.opType !== 'DequantizeLinear' || node.domain !== '') return undefined
  const parameters = readParameters(node, index)
  if (parameters === undefined) return undefined
  const type = parameters.zeroPoint === undefined ? undefined : index.constant(parameters.zeroPoint)
  const dataType = type?.dataType ?? index.constant(parameters.integers)?.dataType
  return dataType !== undefined && EIGHT_BITS.has(dataType) ? parameters : undefined
}

/** The int32 bias behind a float one. */
export function dequantizedBias(value: string, index: GraphIndex): Quantized | undefined {
  const node = index.producer(value)
  if (node?.opType !== 'DequantizeLinear' || node.domain !== '') return undefined
  return index.constant(node.inputs[0]!)?.dataType === 'int32'
    ? readParameters(node, index)
    : undefined
}

/** The QuantizeLinear that alone reads a value, with one scale, to 8 bits. */
export interface Quantization {
  readonly node: Node
  readonly scale: string
  readonly zeroPoint: string
}

export function quantization(value: string, index: GraphIndex): Quantization | undefined {
  const [node, ...others] = index.consumers(value)
  if (node?.opType !== 'QuantizeLinear' || node.domain !== '') return undefined
  if (others.length > 0 || node.inputs[0] !== value || index.isGraphOutput(value)) return undefined
  const parameters = readParameters(node, index)
  if (parameters?.zeroPoint === undefined || parameters.axis !== undefined) return undefined
  const type = index.constant(parameters.zeroPoint)?.dataType
  return type === undefined || !EIGHT_BITS.has(type)
    ? undefined
    : { node, scale: parameters.scale, zeroPoint: parameters.zeroPoint }
}

/** Undefined for parameters that are computed, or that differ from block to block. */
function readParameters(node: Node, index: GraphIndex): Quantized | undefined {
  const [integers = '', scale = '', zeroPoint = ''] = node.inputs
  const scales = index.constant(scale)
  if (scales?.dataType !== 'float32' || intAttribute(node, 'block_size', 0) !== 0) return undefined
  if (zeroPoint !== '' && index.constant(zeroPoint) === undefined) return undefined
  return {
    integers,
    scale,
    zeroPoint: zeroPoint === '' ? undefined : zeroPoint,
    axis: elementCount(scales.dims) === 1 ? undefined : intAttribute(node, 'axis', 1),
  }
}

/** Whether two parameters are the same number: names of shared scalars differ after other passes. */
export function equalScalars(a: string, b: string, index: GraphIndex): boolean {
  if (a === b) return true
  const [x, y] = [scalar(index.constant(a)), scalar(index.constant(b))]
  return x !== undefined && x === y
}

function scalar(tensor: Tensor | undefined): string | undefined {
  if (tensor?.data.kind !== 'bytes' || elementCount(tensor.dims) !== 1) return undefined
  return `${tensor.dataType} ${tensor.data.bytes.join(' ')}`
}
