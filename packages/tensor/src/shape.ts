// Shapes: sizes that are checked before anything is allocated, and ONNX's broadcasting.
import { bitsOf, type DataType } from './data-type.js'
import { errors } from './errors.js'

/**
 * Number of elements; 1 for a scalar (`[]`). Throws `tensor_shape_invalid` for a negative or
 * fractional dimension and for a product that a number cannot hold exactly.
 */
export function elementCount(dims: readonly number[]): number {
  for (const size of dims) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw errors.tensor_shape_invalid(
        `shape [${dims.join(', ')}] has a dimension that is not a size`,
      )
    }
  }
  if (dims.includes(0)) return 0
  // Exact as long as it is safe: a product that passes 2^53 stays above it.
  const count = dims.reduce((product, size) => product * size, 1)
  if (count > Number.MAX_SAFE_INTEGER) {
    throw errors.tensor_shape_invalid(`shape [${dims.join(', ')}] has more than 2^53 - 1 elements`)
  }
  return count
}

/** Bytes that `count` elements take; packed types round up to whole bytes. */
export function byteLengthOf(dataType: DataType, count: number): number {
  const length = Math.ceil((count * bitsOf(dataType)) / 8)
  if (length > Number.MAX_SAFE_INTEGER) {
    throw errors.tensor_shape_invalid(`${count} elements of ${dataType} are too large to address`)
  }
  return length
}

/** Row-major strides in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length)
  let stride = 1
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= dims[axis]!
  }
  return strides
}

/** The shape that both broadcast to (multidirectional, as numpy). Throws `tensor_shape_invalid`. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1
    const y = b[axis - rank + b.length] ?? 1
    if (x !== y && x !== 1 && y !== 1) {
      throw errors.tensor_shape_invalid(
        `shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`,
      )
    }
    return x === 1 ? y : x
  })
}

/** Index 0…rank-1 of an axis that may count from the back. Throws `tensor_shape_invalid`. */
export function normalizeAxis(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(index) || index < 0 || index >= rank) {
    throw errors.tensor_shape_invalid(`axis ${axis} does not exist in a tensor of rank ${rank}`)
  }
  return index
}
