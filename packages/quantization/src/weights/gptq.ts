// GPTQ (Frantar et al. 2022): quantizes the columns of a weight one after the other and moves the
// error of each onto the columns not yet quantized, as far as the inputs are correlated:
//   err = (w_i − ŵ_i) / U[i,i],   w_j ← w_j − err · U[i,j]  (j > i),   H⁻¹ = Uᵀ·U, H = XᵀX + λI
// The grid that the errors were computed for is the grid that is stored: a block's scale comes from
// its error-compensated weights when its first column is reached. In activation order blocks are
// not contiguous, so their grids are fixed from the original weights before.
// A weight that is 0 was pruned, or never meant anything: it stays 0, and what the errors of others
// would have made of it is an error that moves on (as in Frantar and Alistarh 2023, "SparseGPT").
import {
  emptyQuantized,
  encodeValue,
  type GridSpec,
  largestCode,
  type QuantizedMatrix,
  reciprocal,
  type WeightMatrix,
} from './block-grid.js'
import { clippedGrid } from './clip-grid.js'
import { quantizeRtn } from './rtn.js'
import { inverseCholesky } from './triangular.js'

export interface GptqOptions {
  /** λ as a fraction of H's mean diagonal. */
  readonly damping: number
  /** Columns of the largest inputs first. */
  readonly actOrder: boolean
}

/** Rows quantized together: each element of U is then read once for all of them. */
const LANES = 8
const MAX_DAMPING_RAISES = 8

/** `gram` is XᵀX of the layer's input, row-major [columns, columns]. Undefined: not factorizable. */
export function quantizeGptq(
  matrix: WeightMatrix,
  spec: GridSpec,
  { gram, damping, actOrder }: GptqOptions & { readonly gram: Float64Array },
): QuantizedMatrix | undefined {
  const { columns, rows } = matrix
  const order = actOrder ? byDiagonal(gram, columns) : undefined
  const upper = factor(gram, columns, { damping, order })
  if (upper === undefined) return undefined
  const target = actOrder ? quantizeRtn(matrix, spec) : emptyQuantized(matrix, spec)
  const run = new GptqRun(matrix, target, upper)
  for (let row = 0; row < rows; row += LANES) run.quantizeRows(row, order)
  return target
}

/** Columns by the energy of their inputs, greatest first; ties by position. */
function byDiagonal(gram: Float64Array, size: number): Uint32Array {
  const energy = (i: number) => gram[i * size + i]!
  return Uint32Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => energy(b) - energy(a) || a - b,
  )
}

function factor(
  gram: Float64Array,
  size: number,
  { damping, order }: { readonly damping: number; readonly order: Uint32Array | undefined },
): Float64Array | undefined {
  let mean = 0
  for (let i = 0; i < size; i++) mean += gram[i * size + i]! / size
  if (!(mean > 0)) return undefined
  for (let raise = 0, lambda = damping; raise < MAX_DAMPING_RAISES; raise++) {
    const upper = inverseCholesky(damped(gram, size, { order, lambda: lambda * mean }), size)
    if (upper !== undefined) return upper
    lambda = Math.max(lambda * 10, 1e-4)
  }
  return undefined
}

function damped(
  gram: Float64Array,
  size: number,
  { order, lambda }: { readonly order: Uint32Array | undefined; readonly lambda: number },
): Float64Array {
  const h = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    const row = (order?.[i] ?? i) * size
    for (let j = 0; j < size; j++) h[i * size + j] = gram[row + (order?.[j] ?? j)]!
    // An input that is always 0 tells nothing: its column is rounded by itself.
    if (h[i * size + i] === 0) h[i * size + i] = 1
    h[i * size + i]! += lambda
  }
  return h
}

class GptqRun {
  private readonly matrix: WeightMatrix
  private readonly target: QuantizedMatrix
  private readonly upper: Float64Array
  /** [columns, LANES]: the weights with the errors moved onto them so far. */
  private readonly weights: Float64Array
  private readonly errors = new Float64Array(LANES)

  constructor(matrix: WeightMatrix, target: QuantizedMatrix, upper: Float64Array) {
    this.matrix = matrix
    this.target = target
    this.upper = upper
    this.weights = new Float64Array(matrix.columns * LANES)
  }

  quantizeRows(first: number, order: Uint32Array | undefined): void {
    const { columns } = this.matrix
    const { blockSize } = this.target.spec
    this.load(first, order)
    for (let i = 0; i < columns; i++) {
      if (order === undefined && i % blockSize === 0) this.setGrids(first, i)
      this.quantizeColumn(first, { i, column: order?.[i] ?? i })
      this.moveErrors(i)
    }
  }

  private load(first: number, order: Uint32Array | undefined): void {
    const { rows, columns, values } = this.matrix
    this.weights.fill(0)
    for (let lane = 0; lane < Math.min(LANES, rows - first); lane++) {
      const row = (first + lane) * columns
      for (let i = 0; i < columns; i++) {
        this.weights[i * LANES + lane] = values[row + (order?.[i] ?? i)]!
      }
    }
  }

  private setGrids(first: number, start: number): void {
    const { rows, columns, values } = this.matrix
    const { spec, blocks, scales, zeroPoints } = this.target
    const size = Math.min(spec.blockSize, columns - start)
    const block = new Float32Array(size)
    for (let lane = 0; lane < Math.min(LANES, rows - first); lane++) {
      const row = (first + lane) * columns + start
      for (let i = 0; i < size; i++) {
        block[i] = values[row + i] === 0 ? 0 : this.weights[(start + i) * LANES + lane]!
      }
      const { scale, zeroPoint } = clippedGrid(block, spec, (errors) => this.cost(errors, start))
      const at = (first + lane) * blocks + start / spec.blockSize
      scales[at] = scale
      zeroPoints[at] = zeroPoint
    }
  }

  /** What errors of the columns from `start` on cost at the output: Σ err². */
  private cost(errors: Float64Array, start: number): number {
    const { columns } = this.matrix
    let sum = 0
    for (let i = 0; i < errors.length; i++) {
      sum += (errors[i]! / this.upper[(start + i) * (columns + 1)]!) ** 2
    }
    return sum
  }

  private quantizeColumn(first: number, { i, column }: { i: number; column: number }): void {
    const { rows, columns, values } = this.matrix
    const { spec, blocks, scales, zeroPoints, codes } = this.target
    const top = largestCode(spec.bits)
    const pivot = this.upper[i * columns + i]!
    const block = Math.floor(column / spec.blockSize)
    this.errors.fill(0)
    for (let lane = 0; lane < Math.min(LANES, rows - first); lane++) {
      const row = first + lane
      const scale = scales[row * blocks + block]!
      const zeroPoint = zeroPoints[row * blocks + block]!
      const weight = this.weights[i * LANES + lane]!
      const at = row * columns + column
      const isZero = values[at] === 0
      const code = isZero ? zeroPoint : encodeValue(weight, reciprocal(scale), zeroPoint, top)
      codes[at] = code
      this.errors[lane] = (weight - scale * (code - zeroPoint)) / pivot
    }
  }

  private moveErrors(i: number): void {
    const { upper, weights } = this
    const { columns } = this.matrix
    const [e0, e1, e2, e3, e4, e5, e6, e7] = this.errors as unknown as Lanes
    for (let j = i + 1, at = j * LANES; j < columns; j++, at += LANES) {
      const u = upper[i * columns + j]!
      weights[at]! -= e0 * u
      weights[at + 1]! -= e1 * u
      weights[at + 2]! -= e2 * u
      weights[at + 3]! -= e3 * u
      weights[at + 4]! -= e4 * u
      weights[at + 5]! -= e5 * u
      weights[at + 6]! -= e6 * u
      weights[at + 7]! -= e7 * u
    }
  }
}

type Lanes = readonly [number, number, number, number, number, number, number, number]
