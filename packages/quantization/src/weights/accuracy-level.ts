// In what MatMulNBits computes. At level 4 its inputs become int8 in each run, which pays where few
// rows meet much weight; at level 0 it expands the weights and multiplies in float32, which costs the
// same whatever the rows are. Measured on onnxruntime 1.30 (AVX-512 VNNI, one thread, blocks of 32;
// times as fast as float32 with K = N):
//   4 bits, K =   64: level 0/4  M = 1: 0.9/0.9   M = 16: 0.9/0.7   M = 128: 0.9/0.3
//   4 bits, K =  768:            M = 1: 1.5/3.4   M = 16: 0.5/0.8   M = 128: 0.9/0.7
//   4 bits, K = 2048:            M = 1: 1.7/4.5   M = 16: 0.7/1.1   M = 128: 0.9/0.8
//   8 bits, K =   64:            M = 1: 0.5/0.9   M = 16: 0.5/0.7   M = 128: 0.7/0.4
//   8 bits, K = 2048:            M = 1: 0.1/2.3   M = 16: 0.1/1.5   M = 128: 0.4/0.9
import type { ValueShapes } from '@pare/passes'
import type { WeightBits } from '@pare/recipe'

import type { WeightLayer } from './find-layers.js'
import type { AccuracyLevel } from './options.js'

/** Rows from which expanding 4-bit weights of a large matrix is the faster way. */
const MANY_ROWS = 48

/** The faster level for the rows of one sample; where these are not known, for few of them. */
export function fasterLevel(
  { input, columns }: Pick<WeightLayer, 'input' | 'columns'>,
  bits: WeightBits,
  shapes: ValueShapes | undefined,
): AccuracyLevel {
  const dims = shapes?.get(input)?.dims
  if (dims === undefined) return 4
  const rows = dims.slice(0, -1).reduce((product, dim) => product * dim, 1)
  const limit = bits === 4 ? Math.min(columns / 8, MANY_ROWS) : columns
  return rows < limit ? 4 : 0
}
