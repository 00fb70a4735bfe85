// Batches taken apart, and compared with what their samples gave alone.
import { rowOf } from '@pare/datasets'
import type { Tensors } from '@pare/passes'
import { type DataType, fromRuntimeTensor, type RuntimeTensor, toNumbers } from '@pare/tensor'

/** The samples of a batch, each as a batch of one. */
export function samplesOf(batch: Tensors): readonly Tensors[] {
  const rows = Object.values(batch)[0]?.dims[0] ?? 0
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(
      Object.entries(batch).map(([name, tensor]) => [name, rowOf(tensor, row)] as const),
    ),
  )
}

/**
 * Differences that another order of summation makes, relative to the greatest value of the tensor: a
 * sample beside others goes through other kernels. Other types are compared exactly.
 */
const TOLERANCES: Readonly<Partial<Record<DataType, number>>> = {
  float32: 1e-4,
  float64: 1e-4,
  float16: 2e-3,
  bfloat16: 2e-2,
}

/** Whether every tensor of a batch has a row for each sample, with what the sample gave alone. */
export function agree(batch: Tensors, alone: readonly Tensors[]): boolean {
  return Object.entries(batch).every(([name, tensor]) => {
    if (tensor.dims[0] !== alone.length) return false
    const expected = alone.map((sample) => sample[name]!)
    const largest = largestOf(expected)
    return expected.every((one, row) => isAlike(one, rowOf(tensor, row), largest))
  })
}

/** Whether some float tensor differs among the samples by more than rounding. */
export function differInFloats(samples: readonly Tensors[]): boolean {
  const [first = {}, ...others] = samples
  return Object.entries(first).some(([name, tensor]) => {
    if (TOLERANCES[tensor.dataType] === undefined) return false
    const largest = largestOf(samples.map((sample) => sample[name]!))
    return others.some((sample) => !isAlike(tensor, sample[name]!, largest))
  })
}

/** Whether no two samples are the same in every tensor. */
export function areDistinct(samples: readonly Tensors[]): boolean {
  return samples.every((sample, i) =>
    samples
      .slice(i + 1)
      .every((other) =>
        Object.entries(sample).some(([name, { data }]) => !isSame(data, other[name]!.data)),
      ),
  )
}

function isAlike(a: RuntimeTensor, b: RuntimeTensor, largest: number): boolean {
  if (a.dataType !== b.dataType || !isSame(a.dims, b.dims)) return false
  const tolerance = TOLERANCES[a.dataType]
  if (tolerance === undefined) return isSame(a.data, b.data)
  const [x, y] = [numbersOf(a), numbersOf(b)]
  const limit = tolerance * largest
  return x.every((value, i) => Object.is(value, y[i]) || Math.abs(value - y[i]!) <= limit)
}

function isSame(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (value, i) => value === b[i])
}

function largestOf(tensors: readonly RuntimeTensor[]): number {
  let largest = 0
  for (const tensor of tensors) {
    if (TOLERANCES[tensor.dataType] === undefined) continue
    for (const value of numbersOf(tensor)) {
      if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value))
    }
  }
  return largest
}

/** Of a float tensor. */
function numbersOf(tensor: RuntimeTensor): Float32Array {
  return toNumbers(fromRuntimeTensor(tensor)) as Float32Array
}
