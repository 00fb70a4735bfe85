// Operators that make a value of a type that an attribute names.
import { intAttribute, type Node, tensorAttribute } from '@pare/graph'
import { type DataType, type Tensor, tensorFromFloat32 } from '@pare/tensor'

/** Numbers of TensorProto.DataType that matter here. */
export const TYPE_CODES = { float32: 1, float16: 10, bfloat16: 16 } as const

const NAMES: Readonly<Record<number, DataType>> = {
  1: 'float32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  16: 'bfloat16',
}

/** The type that a Cast, Constant or ConstantOfShape makes; undefined for other nodes. */
export function madeType(node: Node): DataType | 'other' | undefined {
  if (node.domain !== '') return undefined
  switch (node.opType) {
    case 'Cast':
      return NAMES[intAttribute(node, 'to', 0)] ?? 'other'
    case 'Constant':
      return constantValue(node) === undefined
        ? (tensorAttribute(node, 'value')?.dataType ?? integerConstant(node))
        : 'float32'
    case 'ConstantOfShape':
      return tensorAttribute(node, 'value')?.dataType ?? 'float32'
    default:
      return undefined
  }
}

function integerConstant(node: Node): DataType | 'other' {
  return node.attributes.has('value_int') || node.attributes.has('value_ints') ? 'int64' : 'other'
}

/** The tensor of a float32 Constant, however it is written. */
export function constantValue(node: Node): Tensor | undefined {
  if (node.opType !== 'Constant' || node.domain !== '') return undefined
  const single = node.attributes.get('value_float')
  if (single?.type === 'float') return tensorFromFloat32([], Float32Array.of(single.value))
  const list = node.attributes.get('value_floats')
  if (list?.type === 'floats') {
    return tensorFromFloat32([list.value.length], Float32Array.from(list.value))
  }
  const tensor = tensorAttribute(node, 'value')
  return tensor?.dataType === 'float32' ? tensor : undefined
}

/** The value that a Cast converts. */
export function castSource(node: Node): string | undefined {
  return node.opType === 'Cast' && node.domain === '' ? node.inputs[0] : undefined
}

/** The one-element tensor that fills a ConstantOfShape. */
export function fillValue(node: Node): Tensor {
  return tensorAttribute(node, 'value') ?? tensorFromFloat32([1], Float32Array.of(0))
}

export function isCastLike(node: Node): boolean {
  return node.opType === 'CastLike' && node.domain === ''
}
