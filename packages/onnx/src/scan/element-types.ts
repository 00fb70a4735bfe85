/**
 * How TensorProto stores each data type: bits of an element in raw_data, the typed field that may
 * hold it instead, and entries of that field per element (onnx.proto, TensorProto).
 */
export interface ElementType {
  readonly name: string
  readonly bits: number
  readonly field:
    'float_data' | 'int32_data' | 'int64_data' | 'double_data' | 'uint64_data' | 'string_data'
  /** Two for complex numbers, a half or a quarter for types packed into bytes. */
  readonly entriesPerElement: number
}

export const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map([
  [1, row('float32', 32, 'float_data')],
  [2, row('uint8', 8, 'int32_data')],
  [3, row('int8', 8, 'int32_data')],
  [4, row('uint16', 16, 'int32_data')],
  [5, row('int16', 16, 'int32_data')],
  [6, row('int32', 32, 'int32_data')],
  [7, row('int64', 64, 'int64_data')],
  [8, row('string', 0, 'string_data')],
  [9, row('bool', 8, 'int32_data')],
  [10, row('float16', 16, 'int32_data')],
  [11, row('float64', 64, 'double_data')],
  [12, row('uint32', 32, 'uint64_data')],
  [13, row('uint64', 64, 'uint64_data')],
  [14, row('complex64', 64, 'float_data', 2)],
  [15, row('complex128', 128, 'double_data', 2)],
  [16, row('bfloat16', 16, 'int32_data')],
  [17, row('float8e4m3fn', 8, 'int32_data')],
  [18, row('float8e4m3fnuz', 8, 'int32_data')],
  [19, row('float8e5m2', 8, 'int32_data')],
  [20, row('float8e5m2fnuz', 8, 'int32_data')],
  [21, row('uint4', 4, 'int32_data', 1 / 2)],
  [22, row('int4', 4, 'int32_data', 1 / 2)],
  [23, row('float4e2m1', 4, 'int32_data', 1 / 2)],
  [24, row('float8e8m0', 8, 'int32_data')],
  [25, row('uint2', 2, 'int32_data', 1 / 4)],
  [26, row('int2', 2, 'int32_data', 1 / 4)],
])

function row(
  name: string,
  bits: number,
  field: ElementType['field'],
  entriesPerElement = 1,
): ElementType {
  return { name, bits, field, entriesPerElement }
}

/** Bytes that `elements` take in raw_data; narrow types fill their last byte. */
export function storedBytes(type: ElementType, elements: bigint): bigint {
  return (elements * BigInt(type.bits) + 7n) / 8n
}
