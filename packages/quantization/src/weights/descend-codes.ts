// Coordinate descent over codes: each weight in turn takes the code that errs least at the output while
// the others stay, Δw·(G + λI)·Δwᵀ with G = XᵀX, until none moves. It starts from codes that are
// rounded to nearest, and never errs more than they do. Weights that are 0 (pruned ones) stay 0.
import { largestCode, type QuantizedMatrix, type WeightMatrix } from './block-grid.js'

/** Columns whose correlation is seen; the work grows with it. */
const MAX_WINDOW = 512
const MAX_PASSES = 4
/** λ as a fraction of G's mean diagonal: keeps weights in place that the data says nothing about. */
const DAMPING = 0.01

export function descendCodes(
  matrix: WeightMatrix,
  quantized: QuantizedMatrix,
  gram: Float64Array,
): QuantizedMatrix {
  const { columns, rows } = quantized
  const moved = { ...quantized, codes: quantized.codes.slice() }
  for (let start = 0; start < columns; start += MAX_WINDOW) {
    const size = Math.min(MAX_WINDOW, columns - start)
    const descent = new Descent(matrix, moved, {
      start,
      size,
      part: dampedPart(gram, columns, { start, size }),
    })
    for (let row = 0; row < rows; row++) descent.settleRow(row)
  }
  return moved
}

interface Span {
  readonly start: number
  readonly size: number
}

/** The span's part of G, damped. */
function dampedPart(gram: Float64Array, columns: number, { start, size }: Span): Float64Array {
  const part = new Float64Array(size * size)
  let mean = 0
  for (let i = 0; i < size; i++) {
    const line = (start + i) * columns + start
    part.set(gram.subarray(line, line + size), i * size)
    mean += part[i * size + i]! / size
  }
  for (let i = 0; i < size; i++) part[i * size + i]! += DAMPING * mean
  return part
}

class Descent {
  private readonly matrix: WeightMatrix
  /** Its codes are changed in place. */
  private readonly quantized: QuantizedMatrix
  private readonly span: Span & { readonly part: Float64Array }
  /** (G + λI)·(w − ŵ) of the row at hand. */
  private readonly slope: Float64Array

  constructor(
    matrix: WeightMatrix,
    quantized: QuantizedMatrix,
    span: Span & { readonly part: Float64Array },
  ) {
    this.matrix = matrix
    this.quantized = quantized
    this.span = span
    this.slope = new Float64Array(span.size)
  }

  settleRow(row: number): void {
    this.findSlope(row)
    for (let pass = 0; pass < MAX_PASSES; pass++) if (!this.moveOnce(row)) return
  }

  private findSlope(row: number): void {
    const { slope, matrix, quantized } = this
    const { columns, blocks, spec, codes, scales, zeroPoints } = quantized
    const { start, size } = this.span
    slope.fill(0)
    for (let i = 0; i < size; i++) {
      const at = row * columns + start + i
      const block = row * blocks + Math.floor((start + i) / spec.blockSize)
      this.addLine(i, matrix.values[at]! - scales[block]! * (codes[at]! - zeroPoints[block]!))
    }
  }

  private addLine(i: number, factor: number): void {
    if (factor === 0) return
    const { slope } = this
    const { size, part } = this.span
    const line = i * size
    for (let j = 0; j < size; j++) slope[j]! += factor * part[line + j]!
  }

  /** Each weight once; whether any moved. */
  private moveOnce(row: number): boolean {
    const { columns, blocks, spec, codes, scales } = this.quantized
    const { start, size, part } = this.span
    const top = largestCode(spec.bits)
    let hasMoved = false
    for (let i = 0; i < size; i++) {
      const scale = scales[row * blocks + Math.floor((start + i) / spec.blockSize)]!
      const curvature = scale * part[i * size + i]!
      if (curvature === 0) continue
      const at = row * columns + start + i
      if (this.matrix.values[at] === 0) continue
      const steps = Math.round(this.slope[i]! / curvature)
      const code = Math.min(Math.max(codes[at]! + steps, 0), top)
      if (code === codes[at]) continue
      this.addLine(i, -scale * (code - codes[at]!))
      codes[at] = code
      hasMoved = true
    }
    return hasMoved
  }
}
