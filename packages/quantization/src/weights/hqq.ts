// Half-quadratic quantization (Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine
// Learning Models"): minimizes Σ|w − ŵ|^p with p < 1, which forgives few large errors for many
// small ones. Alternates between
//   e ← shrink(w − ŵ)          the errors that are accepted, |x|^p's proximal operator
//   grid ← fit to w − e        in closed form
// Two things differ from the original. Zero points stay integers, since kernels that compute in
// integers take no others; scale and zero point are fitted in turn. Errors are measured in steps of
// the grid, so that the result does not depend on the unit of the weights.
import {
  type BlockParams,
  emptyQuantized,
  encodeBlock,
  encodeValue,
  type GridSpec,
  largestCode,
  type QuantizedMatrix,
  rangeOf,
  reciprocal,
  spanningGrid,
  storedScale,
  type WeightMatrix,
} from './block-grid.js'

const NORM = 0.7
const FIRST_BETA = 10
const BETA_GROWTH = 1.01
const MAX_ITERATIONS = 20

/** Never worse than round to nearest in Σ|w − ŵ|^0.7 of any block. */
export function quantizeHqq(matrix: WeightMatrix, spec: GridSpec): QuantizedMatrix {
  const { columns, values } = matrix
  const target = emptyQuantized(matrix, spec)
  for (let row = 0; row < matrix.rows; row++) {
    for (let block = 0; block < target.blocks; block++) {
      const start = row * columns + block * spec.blockSize
      const end = Math.min(start + spec.blockSize, (row + 1) * columns)
      encodeBlock(target, { values, row, block }, fitBlock(values.subarray(start, end), spec))
    }
  }
  return target
}

function fitBlock(values: Float32Array, spec: GridSpec): BlockParams {
  const [low, high] = rangeOf(values, 0, values.length)
  let best = spanningGrid(low, high, spec)
  if (best.scale === 0) return best
  let bestError = lpError(values, best, spec)
  let beta = FIRST_BETA
  let grid = best
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    grid = refit(values, grid, { spec, beta })
    if (grid.scale === 0 || !Number.isFinite(grid.scale)) break
    const error = lpError(values, grid, spec)
    if (error >= bestError) break
    best = grid
    bestError = error
    beta *= BETA_GROWTH
  }
  return best
}

/** Σ|w − ŵ|^p. */
export function lpError(values: Float32Array, grid: BlockParams, spec: GridSpec): number {
  const { scale, zeroPoint } = grid
  const inverse = reciprocal(scale)
  const top = largestCode(spec.bits)
  let sum = 0
  for (const value of values) {
    const code = encodeValue(value, inverse, zeroPoint, top)
    sum += Math.abs(value - scale * (code - zeroPoint)) ** NORM
  }
  return sum
}

function refit(
  values: Float32Array,
  { scale, zeroPoint }: BlockParams,
  { spec, beta }: { readonly spec: GridSpec; readonly beta: number },
): BlockParams {
  const top = largestCode(spec.bits)
  const inverse = reciprocal(scale)
  const codes = new Float64Array(values.length)
  // The weights less their accepted errors, in steps.
  const targets = new Float64Array(values.length)
  let shift = 0
  for (let i = 0; i < values.length; i++) {
    const code = encodeValue(values[i]!, inverse, zeroPoint, top)
    const steps = values[i]! / scale
    codes[i] = code
    targets[i] = steps - shrink(steps - (code - zeroPoint), beta)
    shift += code - targets[i]!
  }
  const zero = spec.symmetric
    ? zeroPoint
    : Math.min(Math.max(Math.round(shift / values.length), 0), top)
  let product = 0
  let square = 0
  for (let i = 0; i < codes.length; i++) {
    product += targets[i]! * (codes[i]! - zero)
    square += (codes[i]! - zero) ** 2
  }
  const factor = square === 0 ? 1 : product / square
  return { scale: storedScale(scale * factor, spec), zeroPoint: zero }
}

/** sign(x) · max(0, |x| − |x|^(p−1)/β): the generalized soft threshold. */
function shrink(x: number, beta: number): number {
  const size = Math.abs(x)
  if (size === 0) return 0
  const kept = size - size ** (NORM - 1) / beta
  return kept > 0 ? Math.sign(x) * kept : 0
}
