// Tensors at the border to onnxruntime: types are its strings, narrow types stay packed bytes.
import { DATA_TYPES, type DataType, type NumericArray, type RuntimeTensor } from '@pare/tensor'
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import ort from 'onnxruntime-node'

import { errors } from './errors.js'

/** Types a tensor may have when it enters or leaves a session of onnxruntime-node. */
const BORDER_TYPES: ReadonlySet<DataType> = new Set([
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
  'int4',
  'uint4',
])

export function toOrtTensor(name: string, tensor: RuntimeTensor): OrtTensor {
  const { dataType, dims, data } = tensor
  if (!BORDER_TYPES.has(dataType)) {
    throw errors.runtime_invalid_feeds(`input ${name}: onnxruntime takes no ${dataType} values`)
  }
  const array = dataType === 'float16' ? toFloat16Array(data as Uint16Array) : data
  try {
    return new ort.Tensor(dataType as 'float32', array as Float32Array, [...dims])
  } catch (cause) {
    const shape = `[${dims.join(', ')}]`
    throw errors.runtime_invalid_feeds(
      `input ${name}: ${data.length} values of ${dataType} do not fill the shape ${shape}`,
      { details: { input: name, dims, length: data.length }, cause },
    )
  }
}

export function fromOrtTensor(tensor: OrtTensor): RuntimeTensor {
  const dataType = toDataType(tensor.type)
  const data = tensor.data as NumericArray | readonly string[]
  return {
    dataType,
    dims: tensor.dims,
    data: dataType === 'float16' ? toUint16Array(data as NumericArray) : data,
  }
}

export function toDataType(type: string): DataType {
  const dataType = DATA_TYPES.find((known) => known === type)
  if (dataType === undefined) throw errors.runtime_failed(`onnxruntime returned a ${type} tensor`)
  return dataType
}

// onnxruntime-common holds float16 in Float16Array where the engine has one (Node 24), else in
// Uint16Array; here it is always Uint16Array over the same bytes.
type Float16Constructor = new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => NumericArray
const Float16 = (globalThis as { Float16Array?: Float16Constructor }).Float16Array

function toFloat16Array(bits: Uint16Array): NumericArray {
  return Float16 === undefined ? bits : new Float16(bits.buffer, bits.byteOffset, bits.length)
}

function toUint16Array(values: NumericArray): Uint16Array {
  return values instanceof Uint16Array
    ? values
    : new Uint16Array(values.buffer, values.byteOffset, values.length)
}
