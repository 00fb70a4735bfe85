// TensorProto.DataType and AttributeProto.AttributeType: numbers exist only in this package.
import type { AttributeTypeName } from '@pare/graph'
import type { DataType } from '@pare/tensor'

const DATA_TYPE_NUMBERS = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
  float6e2m3: 27,
  float6e3m2: 28,
} as const satisfies Readonly<Record<DataType, number>>

const ATTRIBUTE_TYPE_NUMBERS = {
  undefined: 0,
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse_tensor: 11,
  sparse_tensors: 12,
  type: 13,
  types: 14,
} as const satisfies Readonly<Record<AttributeTypeName | 'undefined', number>>

const dataTypes = byNumber<DataType>(DATA_TYPE_NUMBERS)
const attributeTypes = byNumber<AttributeTypeName | 'undefined'>(ATTRIBUTE_TYPE_NUMBERS)

function byNumber<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
): ReadonlyMap<number, Name> {
  return new Map((Object.entries(numbers) as [Name, number][]).map(([name, n]) => [n, name]))
}

export function dataTypeNumber(dataType: DataType): number {
  return DATA_TYPE_NUMBERS[dataType]
}

export function dataTypeOf(number: number): DataType | undefined {
  return dataTypes.get(number)
}

export function attributeTypeNumber(type: AttributeTypeName | 'undefined'): number {
  return ATTRIBUTE_TYPE_NUMBERS[type]
}

export function attributeTypeOf(number: number): AttributeTypeName | 'undefined' | undefined {
  return attributeTypes.get(number)
}
