// Grids that do not span all weights of a block: clipping the extremes makes the steps smaller for
// the rest. Which range is best is tried out.
import {
  type BlockParams,
  encodeValue,
  type GridSpec,
  largestCode,
  rangeOf,
  reciprocal,
  spanningGrid,
} from './block-grid.js'

/** Fractions of the full range that are tried; 1 comes first and wins ties. */
const RANGES = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6] as const

/** The cost of rounding errors `errors[0 … size)`. */
export type ErrorCost = (errors: Float64Array) => number

export function clippedGrid(values: Float32Array, spec: GridSpec, cost: ErrorCost): BlockParams {
  const [low, high] = rangeOf(values, 0, values.length)
  const errors = new Float64Array(values.length)
  let best = spanningGrid(low, high, spec)
  let bestCost = Infinity
  for (const range of RANGES) {
    const grid = spanningGrid(low * range, high * range, spec)
    roundingErrors(values, grid, { spec, errors })
    const found = cost(errors)
    if (found >= bestCost) continue
    best = grid
    bestCost = found
  }
  return best
}

function roundingErrors(
  values: Float32Array,
  { scale, zeroPoint }: BlockParams,
  { spec, errors }: { readonly spec: GridSpec; readonly errors: Float64Array },
): void {
  const inverse = reciprocal(scale)
  const top = largestCode(spec.bits)
  for (let i = 0; i < values.length; i++) {
    const code = encodeValue(values[i]!, inverse, zeroPoint, top)
    errors[i] = values[i]! - scale * (code - zeroPoint)
  }
}
