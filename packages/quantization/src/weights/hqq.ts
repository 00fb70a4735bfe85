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
  let bestError = Infinity
  let beta = FIRST_BETA
  let grid = best
  for (let iteration = 0; iteration <= MAX_ITERATIONS; iteration++) {
    if (grid.scale === 0 || !Number.isFinite(grid.scale)) break
    const { error, refitted } = improve(values, grid, { spec, beta })
    if (error >= bestError) break
    best = grid
    bestError = error
    grid = refitted
    beta *= BETA_GROWTH
  }
  return best
}

/** Σ|w − ŵ|^p of a grid, and the grid that fits the weights less their accepted errors. */
function improve(
  values: Float32Array,
  { scale, zeroPoint }: BlockParams,
  { spec, beta }: { readonly spec: GridSpec; readonly beta: number },
): { readonly error: number; readonly refitted: BlockParams } {
  const top = largestCode(spec.bits)
  const inverse = reciprocal(scale)
  // Sums over q = code and t = target in steps, from which scale and zero point follow.
  const sums = { q: 0, t: 0, qq: 0, qt: 0 }
  let error = 0
  for (const value of values) {
    const code = encodeValue(value, inverse, zeroPoint, top)
    const steps = value / scale
    const off = steps - (code - zeroPoint)
    const size = Math.abs(off)
    const power = size === 0 ? 0 : size ** NORM
    error += power
    const target = steps - shrink(off, size, power / beta)
    sums.q += code
    sums.t += target
    sums.qq += code * code
    sums.qt += code * target
  }
  const refitted = fit(sums, values.length, { scale, zeroPoint, spec })
  return { error: error * Math.abs(scale) ** NORM, refitted }
}

/** Zero point first, then the scale with Σ(t − f·(q − z))² least. */
function fit(
  { q, t, qq, qt }: { readonly q: number; readonly t: number; qq: number; qt: number },
  count: number,
  { scale, zeroPoint, spec }: BlockParams & { readonly spec: GridSpec },
): BlockParams {
  const mean = Math.min(Math.max(Math.round((q - t) / count), 0), largestCode(spec.bits))
  const zero = spec.symmetric ? zeroPoint : mean
  const product = qt - zero * t
  const square = qq - 2 * zero * q + count * zero * zero
  const factor = square === 0 ? 1 : product / square
  return { scale: storedScale(scale * factor, spec), zeroPoint: zero }
}

/**
 * sign(x) · max(0, |x| − |x|^(p−1)/β), the generalized soft threshold; `part` is |x|^p/β.
 */
function shrink(x: number, size: number, part: number): number {
  if (size === 0) return 0
  const kept = size - part / size
  return kept > 0 ? Math.sign(x) * kept : 0
}
