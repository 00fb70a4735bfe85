// Least squares for scales: given the codes of a row, the scales of its blocks that err least at the
// output,
//   min over s of ‖X·(w − Σ s_b·c_b)‖² = wᵀGw − 2·sᵀr + sᵀAs,  A = CᵀGC, r = CᵀGw, G = XᵀX,
// with c_b the codes less the zero point of block b. Blocks are fitted together: the error of one may
// cancel that of another, which no choice of grids block by block sees.
import { type QuantizedMatrix, storedScale, type WeightMatrix } from './block-grid.js'
import { inverseCholesky } from './triangular.js'

/** Columns that are fitted together; the work grows with it. */
const MAX_WINDOW = 512
/** Weight of the scale that is there, as a fraction of the mean of A's diagonal. */
const RIDGE = 1e-3
/** Scales that move further than this fraction are not to be trusted: too few inputs were seen. */
const MAX_MOVE = 0.3

/** The same codes with scales that err less at the output; a row keeps its own where they do not. */
export function fitScales(
  matrix: WeightMatrix,
  quantized: QuantizedMatrix,
  gram: Float64Array,
): QuantizedMatrix {
  const { spec, columns, rows } = quantized
  const fitted = { ...quantized, scales: quantized.scales.slice() }
  const perWindow = Math.max(1, Math.floor(MAX_WINDOW / spec.blockSize))
  for (let first = 0; first < quantized.blocks; first += perWindow) {
    const start = first * spec.blockSize
    const end = Math.min(start + perWindow * spec.blockSize, columns)
    const window = new Window({ matrix, quantized: fitted, gram }, { first, start, end })
    for (let row = 0; row < rows; row++) window.fitRow(row)
  }
  return fitted
}

interface Subject {
  readonly matrix: WeightMatrix
  /** Its scales are changed in place. */
  readonly quantized: QuantizedMatrix
  readonly gram: Float64Array
}

interface Span {
  /** First block. */
  readonly first: number
  /** Columns `start … end`. */
  readonly start: number
  readonly end: number
}

class Window {
  private readonly subject: Subject
  private readonly span: Span
  private readonly blocks: number
  /** Codes less zero points, and weights, of the row at hand. */
  private readonly steps: Float64Array
  private readonly weights: Float64Array
  private readonly a: Float64Array
  private readonly r: Float64Array

  constructor(subject: Subject, span: Span) {
    this.subject = subject
    this.span = span
    const { blockSize } = subject.quantized.spec
    this.blocks = Math.ceil((span.end - span.start) / blockSize)
    this.steps = new Float64Array(span.end - span.start)
    this.weights = new Float64Array(span.end - span.start)
    this.a = new Float64Array(this.blocks ** 2)
    this.r = new Float64Array(this.blocks)
  }

  fitRow(row: number): void {
    this.load(row)
    this.sum()
    const { quantized } = this.subject
    const at = row * quantized.blocks + this.span.first
    const scales = quantized.scales.subarray(at, at + this.blocks)
    const found = this.solve(scales)
    if (found === undefined) return
    const stored = found.map((scale, block) => {
      const old = scales[block]!
      const isNear = Math.abs(scale - old) <= MAX_MOVE * Math.abs(old)
      return isNear ? storedScale(scale, quantized.spec) : old
    })
    if (this.error(stored) < this.error(scales)) scales.set(stored)
  }

  private load(row: number): void {
    const { matrix, quantized } = this.subject
    const { start, end, first } = this.span
    const { columns, blocks, codes, zeroPoints, spec } = quantized
    for (let i = 0; i < end - start; i++) {
      const at = row * columns + start + i
      const block = first + Math.floor(i / spec.blockSize)
      this.steps[i] = codes[at]! - zeroPoints[row * blocks + block]!
      this.weights[i] = matrix.values[at]!
    }
  }

  /** A and r, in one walk over the window's part of G. */
  private sum(): void {
    const { a, r, steps, weights, blocks } = this
    const { gram, quantized } = this.subject
    const { start } = this.span
    const { columns, spec } = quantized
    const size = steps.length
    a.fill(0)
    r.fill(0)
    for (let i = 0; i < size; i++) {
      const step = steps[i]!
      if (step === 0) continue
      const own = Math.floor(i / spec.blockSize)
      const line = (start + i) * columns + start
      let product = 0
      for (let other = 0, j = 0; other < blocks; other++) {
        let sum = 0
        for (const end = Math.min(j + spec.blockSize, size); j < end; j++) {
          const g = gram[line + j]!
          sum += g * steps[j]!
          product += g * weights[j]!
        }
        a[own * blocks + other]! += step * sum
      }
      r[own]! += step * product
    }
  }

  /** (A + λI)·s = r + λ·s₀; undefined where A cannot be inverted. */
  private solve(scales: Float32Array): Float64Array | undefined {
    const { a, r, blocks } = this
    let mean = 0
    for (let i = 0; i < blocks; i++) mean += a[i * blocks + i]! / blocks
    if (!(mean > 0)) return undefined
    const ridge = RIDGE * mean
    const damped = a.slice()
    for (let i = 0; i < blocks; i++) damped[i * blocks + i]! += ridge
    const upper = inverseCholesky(damped, blocks)
    if (upper === undefined) return undefined
    const right = r.map((value, i) => value + ridge * scales[i]!)
    return timesInverse(upper, right)
  }

  /** Less wᵀGw, which no scale changes. */
  private error(scales: ArrayLike<number>): number {
    const { a, r, blocks } = this
    let sum = 0
    for (let i = 0; i < blocks; i++) {
      let row = 0
      for (let j = 0; j < blocks; j++) row += a[i * blocks + j]! * scales[j]!
      sum += scales[i]! * (row - 2 * r[i]!)
    }
    return sum
  }
}

/** H⁻¹·v for H⁻¹ = Uᵀ·U. */
function timesInverse(upper: Float64Array, v: Float64Array): Float64Array {
  const size = v.length
  const half = new Float64Array(size)
  const result = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    for (let j = i; j < size; j++) half[i]! += upper[i * size + j]! * v[j]!
  }
  for (let i = 0; i < size; i++) {
    for (let j = i; j < size; j++) result[j]! += upper[i * size + j]! * half[i]!
  }
  return result
}
