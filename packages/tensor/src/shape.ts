// Shapes: sizes that are checked before anything is allocated.
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
