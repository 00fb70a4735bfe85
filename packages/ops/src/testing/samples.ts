// Inputs of samples. Seeded by their place among the inputs, so that two of one shape differ.
import {
  createRandom,
  type DataType,
  elementCount,
  type Tensor,
  tensorFromFloats,
  tensorFromInts,
  tensorFromStrings,
} from '@pare/tensor'

export interface Sample {
  /** An initializer, or a graph input. */
  readonly isConstant: boolean
  readonly make: (seed: number) => Tensor
}

type Dims = readonly number[]

function random(isConstant: boolean, dims: Dims, value: (normal: number) => number): Sample {
  return {
    isConstant,
    make: (seed) => {
      const { normal } = createRandom(seed)
      const values = Float32Array.from({ length: elementCount(dims) }, () => value(normal()))
      return tensorFromFloats('float32', dims, values)
    },
  }
}

/** Data: a graph input of normal numbers. */
export const x = (...dims: Dims): Sample => random(false, dims, (n) => n)
/** Data from 0.1 on. */
export const positive = (...dims: Dims): Sample => random(false, dims, (n) => Math.abs(n) + 0.1)
/** Data between −1 and 1. */
export const within1 = (...dims: Dims): Sample => random(false, dims, (n) => Math.tanh(n))
/** A weight: a constant of normal numbers, half as large as data. */
export const w = (...dims: Dims): Sample => random(true, dims, (n) => n / 2)
/** A constant from 0.1 on: variances, scales. */
export const positiveW = (...dims: Dims): Sample => random(true, dims, (n) => Math.abs(n) / 2 + 0.1)

export function constant(dataType: DataType, dims: Dims, values: readonly number[]): Sample {
  return { isConstant: true, make: () => tensorOf(dataType, dims, values) }
}

export function fed(dataType: DataType, dims: Dims, values: readonly number[]): Sample {
  return { isConstant: false, make: () => tensorOf(dataType, dims, values) }
}

/** Data of integers or truth values: 0, 1, 2, … up to `below`, again and again. */
export function counts(dataType: DataType, dims: Dims, below: number): Sample {
  const values = Array.from({ length: elementCount(dims) }, (_, i) => (i * 5) % below)
  return fed(dataType, dims, values)
}

export const bools = (...dims: Dims): Sample => counts('bool', dims, 2)
/** A constant list of int64: a shape, axes, indices. */
export const ints = (...values: readonly number[]): Sample =>
  constant('int64', [values.length], values)
export const int = (value: number): Sample => constant('int64', [], [value])
/** A constant list of float32. */
export const floats = (...values: readonly number[]): Sample =>
  constant('float32', [values.length], values)
export const float = (value: number): Sample => constant('float32', [], [value])

export function strings(...texts: readonly string[]): Sample {
  return { isConstant: true, make: () => tensorFromStrings([texts.length], texts) }
}

function tensorOf(dataType: DataType, dims: Dims, values: readonly number[]): Tensor {
  return /^float|^bfloat/.test(dataType)
    ? tensorFromFloats(dataType, dims, Float32Array.from(values))
    : tensorFromInts(dataType, dims, values)
}
