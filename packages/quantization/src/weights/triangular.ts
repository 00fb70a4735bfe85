// The one factorization that GPTQ needs: the upper triangular U with H⁻¹ = Uᵀ·U.
// From H = R·Rᵀ with R upper triangular (Cholesky from the last row up) follows U = R⁻¹: one
// factorization and one triangular inverse instead of two factorizations and a full inverse.
// Both work on bands of rows or columns that stay in the cache while the rest passes by once.

const BAND = 32

/**
 * `matrix` is symmetric positive definite, row-major [size, size], and not changed. Undefined when
 * it is not positive definite in float64.
 */
export function inverseCholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const upper = reversedCholesky(matrix, size)
  return upper === undefined ? undefined : invertUpper(upper, size)
}

/** R upper triangular with R·Rᵀ = matrix; bands of columns from the last. */
function reversedCholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const r = Float64Array.from(matrix)
  for (let end = size; end > 0; end -= BAND) {
    const start = Math.max(end - BAND, 0)
    for (let i = 0; i < end; i++) subtractDots(r, size, { i, start, end: Math.min(end, size) })
    for (let j = end - 1; j >= start; j--) if (!finishColumn(r, size, { j, end })) return undefined
  }
  for (let i = 0; i < size; i++) r.fill(0, i * size, i * size + i)
  return r
}

interface Band {
  readonly start: number
  readonly end: number
}

/** r[i, j] −= Σ_{k ≥ end} r[i, k]·r[j, k] for the columns j of the band: four sums at a time. */
function subtractDots(
  r: Float64Array,
  size: number,
  { i, start, end }: Band & { readonly i: number },
): void {
  const row = i * size
  let j = start
  for (; j + 3 < end; j += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    const [j0, j1, j2, j3] = [j * size, (j + 1) * size, (j + 2) * size, (j + 3) * size]
    for (let k = end; k < size; k++) {
      const x = r[row + k]!
      s0 += x * r[j0 + k]!
      s1 += x * r[j1 + k]!
      s2 += x * r[j2 + k]!
      s3 += x * r[j3 + k]!
    }
    r[row + j]! -= s0
    r[row + j + 1]! -= s1
    r[row + j + 2]! -= s2
    r[row + j + 3]! -= s3
  }
  for (; j < end; j++) {
    let sum = 0
    for (let k = end; k < size; k++) sum += r[row + k]! * r[j * size + k]!
    r[row + j]! -= sum
  }
}

/** Column j, once the columns of its band behind it are done. False: not positive definite. */
function finishColumn(
  r: Float64Array,
  size: number,
  { j, end }: { readonly j: number; readonly end: number },
): boolean {
  for (let i = 0; i <= j; i++) {
    let sum = r[i * size + j]!
    for (let k = j + 1; k < end; k++) sum -= r[i * size + k]! * r[j * size + k]!
    r[i * size + j] = sum
  }
  const pivot = r[j * size + j]!
  if (!(pivot > 0)) return false
  const root = Math.sqrt(pivot)
  for (let i = 0; i < j; i++) r[i * size + j]! /= root
  r[j * size + j] = root
  return true
}

/** The inverse of an upper triangular matrix: row i = (e_i − Σ_{k>i} R[i,k]·row k) / R[i,i]. */
function invertUpper(r: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size)
  for (let end = size; end > 0; end -= BAND) {
    const start = Math.max(end - BAND, 0)
    for (let k = end; k < size; k++) {
      for (let i = start; i < end; i++)
        subtractRow(inverse, size, { i, k, factor: r[i * size + k]! })
    }
    for (let i = end - 1; i >= start; i--) {
      for (let k = i + 1; k < end; k++) {
        subtractRow(inverse, size, { i, k, factor: r[i * size + k]! })
      }
      const diagonal = 1 / r[i * size + i]!
      for (let j = i + 1; j < size; j++) inverse[i * size + j]! *= diagonal
      inverse[i * size + i] = diagonal
    }
  }
  return inverse
}

/** Row i −= factor · row k, whose elements before k are 0. */
function subtractRow(
  inverse: Float64Array,
  size: number,
  { i, k, factor }: { readonly i: number; readonly k: number; readonly factor: number },
): void {
  if (factor === 0) return
  const [row, source] = [i * size, k * size]
  for (let j = k; j < size; j++) inverse[row + j]! -= factor * inverse[source + j]!
}
