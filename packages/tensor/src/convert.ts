// Between the bytes of a model, numbers to compute with, and tensors in a session.
import type { DataType } from './data-type.js'
import { errors } from './errors.js'
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from './float16.js'
import {
  decodeTable,
  encodeFloat8e8m0,
  encodeMiniFloat,
  type FloatEncodeOptions,
  isMiniFloatType,
} from './minifloat.js'
import { isPackedType, pack, unpack } from './packing.js'
import { byteLengthOf, elementCount } from './shape.js'
import type { NumericArray, RuntimeTensor, Tensor } from './tensor.js'

type NumericArrayConstructor = new (
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => NumericArray

interface Storage {
  readonly array: NumericArrayConstructor
  readonly bytes: number
}

/** How the elements of each type lie in memory; packed types and codes are bytes. */
const STORAGE: Readonly<Record<Exclude<DataType, 'string'>, Storage>> = {
  float32: { array: Float32Array, bytes: 4 },
  uint8: { array: Uint8Array, bytes: 1 },
  int8: { array: Int8Array, bytes: 1 },
  uint16: { array: Uint16Array, bytes: 2 },
  int16: { array: Int16Array, bytes: 2 },
  int32: { array: Int32Array, bytes: 4 },
  int64: { array: BigInt64Array, bytes: 8 },
  bool: { array: Uint8Array, bytes: 1 },
  float16: { array: Uint16Array, bytes: 2 },
  float64: { array: Float64Array, bytes: 8 },
  uint32: { array: Uint32Array, bytes: 4 },
  uint64: { array: BigUint64Array, bytes: 8 },
  complex64: { array: Float32Array, bytes: 4 },
  complex128: { array: Float64Array, bytes: 8 },
  bfloat16: { array: Uint16Array, bytes: 2 },
  float8e4m3fn: { array: Uint8Array, bytes: 1 },
  float8e4m3fnuz: { array: Uint8Array, bytes: 1 },
  float8e5m2: { array: Uint8Array, bytes: 1 },
  float8e5m2fnuz: { array: Uint8Array, bytes: 1 },
  uint4: { array: Uint8Array, bytes: 1 },
  int4: { array: Uint8Array, bytes: 1 },
  float4e2m1: { array: Uint8Array, bytes: 1 },
  float8e8m0: { array: Uint8Array, bytes: 1 },
  uint2: { array: Uint8Array, bytes: 1 },
  int2: { array: Uint8Array, bytes: 1 },
  float6e2m3: { array: Uint8Array, bytes: 1 },
  float6e3m2: { array: Uint8Array, bytes: 1 },
}

/**
 * The bytes of a tensor; those of an external one are read from its file, at each call. Throws
 * `tensor_data_not_loaded` where that file is not at hand, or `tensor_type_unsupported`.
 */
export function bytesOf(tensor: Tensor): Uint8Array {
  switch (tensor.data.kind) {
    case 'bytes':
      return tensor.data.bytes
    case 'external':
      if (tensor.data.read !== undefined) return tensor.data.read(0, tensor.data.length)
      throw errors.tensor_data_not_loaded(
        `the data lies in the external file "${tensor.data.location}"; load it first`,
      )
    case 'strings':
      throw errors.tensor_type_unsupported('strings are not numbers')
  }
}

/**
 * The elements as they are stored: float16, bfloat16 and narrower floats as bit patterns, packed
 * types still packed. A view where the bytes are aligned, one copy where they are not; read only.
 */
export function storedArray(tensor: Tensor): NumericArray {
  const bytes = bytesOf(tensor)
  if (tensor.dataType === 'string') throw errors.tensor_type_unsupported('strings are not numbers')
  const needed = byteLengthOf(tensor.dataType, elementCount(tensor.dims))
  if (bytes.length !== needed) {
    throw errors.tensor_data_mismatch(
      `a ${tensor.dataType} tensor of shape [${tensor.dims.join(', ')}] needs ${needed} bytes, but has ${bytes.length}`,
    )
  }
  const storage = STORAGE[tensor.dataType]
  const aligned = bytes.byteOffset % storage.bytes === 0 ? bytes : new Uint8Array(bytes)
  return new storage.array(aligned.buffer, aligned.byteOffset, bytes.length / storage.bytes)
}

/**
 * The elements as numbers of the natural array type: floats of 16 bits and fewer become float32,
 * packed integers Int8Array or Uint8Array, 64-bit integers stay bigint. Read only: may be a view
 * of the model's bytes.
 */
export function toNumbers(tensor: Tensor): NumericArray {
  const { dataType } = tensor
  const stored = storedArray(tensor)
  if (dataType === 'float16') return decodeFloat16(stored as Uint16Array)
  if (dataType === 'bfloat16') return decodeBfloat16(stored as Uint16Array)
  if (isPackedType(dataType)) {
    const values = unpack(dataType, stored as Uint8Array, elementCount(tensor.dims))
    return isMiniFloatType(dataType) ? lookUp(decodeTable(dataType), values) : values
  }
  if (dataType === 'float8e8m0' || isMiniFloatType(dataType)) {
    return lookUp(decodeTable(dataType), stored as Uint8Array)
  }
  return stored
}

function lookUp(table: Float32Array, codes: ArrayLike<number>): Float32Array {
  const values = new Float32Array(codes.length)
  for (let i = 0; i < values.length; i++) values[i] = table[codes[i]!]!
  return values
}

/** The elements as float32 (64-bit integers and doubles are rounded). May be a view: read only. */
export function toFloat32(tensor: Tensor): Float32Array {
  const numbers = toNumbers(tensor)
  if (numbers instanceof Float32Array) return numbers
  if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) {
    const values = new Float32Array(numbers.length)
    for (let i = 0; i < values.length; i++) values[i] = Number(numbers[i]!)
    return values
  }
  return new Float32Array(numbers)
}

/** The elements as exact integers (shapes, axes, indices). Throws `tensor_value_out_of_range`. */
export function toIntegers(tensor: Tensor): number[] {
  return Array.from(toNumbers(tensor) as ArrayLike<number | bigint>, (value) => {
    const integer = Number(value)
    if (!Number.isSafeInteger(integer)) {
      throw errors.tensor_value_out_of_range(`${value} is not an integer below 2^53`)
    }
    return integer
  })
}

/** The texts of a string tensor. Throws `tensor_type_unsupported` for other types. */
export function toStrings(tensor: Tensor): string[] {
  if (tensor.data.kind !== 'strings') {
    throw errors.tensor_type_unsupported(`a ${tensor.dataType} tensor holds no strings`)
  }
  const decoder = new TextDecoder()
  return tensor.data.strings.map((text) => decoder.decode(text))
}

/** A float32 tensor over `values` (shared, not copied). Throws `tensor_data_mismatch`. */
export function tensorFromFloat32(dims: readonly number[], values: Float32Array): Tensor {
  return tensorFromStored('float32', dims, values)
}

/**
 * A tensor of any float type, rounded half to even; `saturate` as Cast defines it for 8-bit types.
 */
export function tensorFromFloats(
  dataType: DataType,
  dims: readonly number[],
  values: Float32Array,
  options: FloatEncodeOptions = {},
): Tensor {
  switch (dataType) {
    case 'float32':
      return tensorFromFloat32(dims, values)
    case 'float64':
      return tensorFromStored(dataType, dims, new Float64Array(values))
    case 'float16':
      return tensorFromStored(dataType, dims, encodeFloat16(values))
    case 'bfloat16':
      return tensorFromStored(dataType, dims, encodeBfloat16(values))
    case 'float8e8m0':
      return tensorFromStored(
        dataType,
        dims,
        Uint8Array.from(values, (x) => encodeFloat8e8m0(x, options)),
      )
    default: {
      if (!isMiniFloatType(dataType)) {
        throw errors.tensor_type_unsupported(`${dataType} is not a float type`)
      }
      const codes = Uint8Array.from(values, (x) => encodeMiniFloat(dataType, x, options))
      const bytes = isPackedType(dataType) ? pack(dataType, codes) : codes
      return checkedTensor(dataType, dims, { bytes, count: codes.length })
    }
  }
}

const INTEGER_RANGES: Readonly<Partial<Record<DataType, readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
  bool: [0, 1],
  uint4: [0, 15],
  int4: [-8, 7],
  uint2: [0, 3],
  int2: [-2, 1],
}

const INT64_RANGES = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const

/**
 * A tensor of an integer type or bool; packs int4, uint4, int2 and uint2. Values are never wrapped
 * or saturated: one that does not fit throws `tensor_value_out_of_range`.
 */
export function tensorFromInts(
  dataType: DataType,
  dims: readonly number[],
  values: ArrayLike<number | bigint>,
): Tensor {
  if (dataType === 'int64' || dataType === 'uint64') return tensorFromInt64(dataType, dims, values)
  const range = INTEGER_RANGES[dataType]
  if (range === undefined) {
    throw errors.tensor_type_unsupported(`${dataType} is not an integer type`)
  }
  const numbers = new Array<number>(values.length)
  for (let i = 0; i < numbers.length; i++) {
    const value = Number(values[i])
    if (!Number.isInteger(value) || value < range[0] || value > range[1]) {
      throw errors.tensor_value_out_of_range(`${value} does not fit ${dataType}`)
    }
    numbers[i] = value
  }
  if (isPackedType(dataType)) {
    return checkedTensor(dataType, dims, { bytes: pack(dataType, numbers), count: numbers.length })
  }
  const bytes = new Uint8Array(byteLengthOf(dataType, numbers.length))
  const storage = STORAGE[dataType as Exclude<DataType, 'string'>]
  const stored = new storage.array(bytes.buffer, 0, numbers.length) as Float64Array
  stored.set(numbers)
  return checkedTensor(dataType, dims, { bytes, count: numbers.length })
}

function tensorFromInt64(
  dataType: 'int64' | 'uint64',
  dims: readonly number[],
  values: ArrayLike<number | bigint>,
): Tensor {
  const [low, high] = INT64_RANGES[dataType]
  const stored = new BigInt64Array(values.length)
  for (let i = 0; i < stored.length; i++) {
    const given = values[i]!
    if (typeof given === 'number' && !Number.isSafeInteger(given)) {
      throw errors.tensor_value_out_of_range(`${given} is not an integer below 2^53`)
    }
    const value = BigInt(given)
    if (value < low || value > high) {
      throw errors.tensor_value_out_of_range(`${value} does not fit ${dataType}`)
    }
    stored[i] = value
  }
  return tensorFromStored(dataType, dims, stored)
}

/** A string tensor, UTF-8. */
export function tensorFromStrings(dims: readonly number[], texts: readonly string[]): Tensor {
  if (elementCount(dims) !== texts.length) {
    throw errors.tensor_data_mismatch(`shape [${dims.join(', ')}] does not hold ${texts.length}`)
  }
  const encoder = new TextEncoder()
  return {
    dataType: 'string',
    dims,
    data: { kind: 'strings', strings: texts.map((text) => encoder.encode(text)) },
  }
}

/**
 * A tensor over elements as they are stored (the counterpart of `storedArray`): shared, not copied.
 * Throws `tensor_data_mismatch`.
 */
export function tensorFromStored(
  dataType: DataType,
  dims: readonly number[],
  stored: NumericArray,
): Tensor {
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
  const tensor: Tensor = { dataType, dims, data: { kind: 'bytes', bytes } }
  storedArray(tensor)
  return tensor
}

function checkedTensor(
  dataType: DataType,
  dims: readonly number[],
  { bytes, count }: { readonly bytes: Uint8Array; readonly count: number },
): Tensor {
  if (elementCount(dims) !== count) {
    throw errors.tensor_data_mismatch(
      `shape [${dims.join(', ')}] does not hold ${count} elements of ${dataType}`,
    )
  }
  return { dataType, dims, data: { kind: 'bytes', bytes } }
}

/**
 * A constant as a session takes it. Narrow and 8-bit float types travel as their stored bytes.
 * Numbers may be a view of the model's bytes: read only.
 */
export function toRuntimeTensor(tensor: Tensor): RuntimeTensor {
  const { dataType, dims } = tensor
  return { dataType, dims, data: dataType === 'string' ? toStrings(tensor) : storedArray(tensor) }
}

/** A session's tensor as a constant; the numbers are shared, not copied. */
export function fromRuntimeTensor(tensor: RuntimeTensor): Tensor {
  const { dataType, dims, data } = tensor
  if (isStrings(data)) return tensorFromStrings(dims, data)
  return tensorFromStored(dataType, dims, data)
}

function isStrings(data: RuntimeTensor['data']): data is readonly string[] {
  return Array.isArray(data)
}
