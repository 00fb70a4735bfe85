// Tensors of a session as numbers to compute with.
import { decodeBfloat16, decodeFloat16, type RuntimeTensor } from '@pare/tensor'

import { errors } from './errors.js'

/** float16 and bfloat16 become float32, 64-bit integers float64 (exact below 2^53). */
export function numbersOf(name: string, tensor: RuntimeTensor): ArrayLike<number> {
  const { dataType, data } = tensor
  if (dataType === 'float16') return decodeFloat16(data as Uint16Array)
  if (dataType === 'bfloat16') return decodeBfloat16(data as Uint16Array)
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return Float64Array.from(data, Number)
  }
  if (Array.isArray(data)) {
    throw errors.outputs_not_scores(
      `output "${name}" is text and cannot be judged: choose another with evaluation.output`,
      { details: { output: name } },
    )
  }
  return data as ArrayLike<number>
}

/** The first `count` rows of an output; the rest belongs to samples that only fill up a batch. */
export function dropPadding(tensor: RuntimeTensor, rows: number, count: number): RuntimeTensor {
  if (rows === count || tensor.dims[0] !== rows) return tensor
  const data = tensor.data as Float32Array // any array type: all have `subarray`
  const rowElements = data.length / rows
  return {
    dataType: tensor.dataType,
    dims: [count, ...tensor.dims.slice(1)],
    data: data.subarray(0, count * rowElements),
  }
}
