// AttributeProto.AttributeType: these numbers exist only in this package.
import type { AttributeTypeName } from '@pare/graph'

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

const attributeTypes = new Map(
  (Object.entries(ATTRIBUTE_TYPE_NUMBERS) as [AttributeTypeName | 'undefined', number][]).map(
    ([name, number]) => [number, name],
  ),
)

export function attributeTypeNumber(type: AttributeTypeName | 'undefined'): number {
  return ATTRIBUTE_TYPE_NUMBERS[type]
}

export function attributeTypeOf(number: number): AttributeTypeName | 'undefined' | undefined {
  return attributeTypes.get(number)
}
