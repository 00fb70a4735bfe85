import { errors } from './errors.js'

/** Data types of ONNX tensors, by onnxruntime's names (TensorProto.DataType in lower case). */
export const DATA_TYPES = [
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
  'float4e2m1',
  'float8e8m0',
  'uint2',
  'int2',
  'float6e2m3',
  'float6e3m2',
] as const

export type DataType = (typeof DATA_TYPES)[number]

/** Bits of one element as stored; `string` has no fixed size. */
const BITS: Readonly<Record<Exclude<DataType, 'string'>, number>> = {
  float32: 32,
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  int32: 32,
  int64: 64,
  bool: 8,
  float16: 16,
  float64: 64,
  uint32: 32,
  uint64: 64,
  complex64: 64,
  complex128: 128,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  uint4: 4,
  int4: 4,
  float4e2m1: 4,
  float8e8m0: 8,
  uint2: 2,
  int2: 2,
  float6e2m3: 6,
  float6e3m2: 6,
}

/** Bits of one element as stored. Throws `tensor_type_unsupported` for strings. */
export function bitsOf(dataType: DataType): number {
  if (dataType === 'string') {
    throw errors.tensor_type_unsupported('strings have no fixed size')
  }
  return BITS[dataType]
}

/** Bytes of one element, a fraction for packed types (int4: 0.5). */
export function sizeOf(dataType: DataType): number {
  return bitsOf(dataType) / 8
}
