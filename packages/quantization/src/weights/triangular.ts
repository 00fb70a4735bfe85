// The one factorization that GPTQ needs: the upper triangular U with H⁻¹ = Uᵀ·U.
// From H = R·Rᵀ with R upper triangular (Cholesky from the last row up) follows U = R⁻¹: one
// factorization and one triangular inverse instead of two factorizations and a full inverse.

/**
 * `matrix` is symmetric positive definite, row-major [size, size], and not changed. Undefined when
 * it is not positive definite in float64.
 */
export function inverseCholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const upper = reversedCholesky(matrix, size)
  return upper === undefined ? undefined : invertUpper(upper, size)
}

/** R upper triangular with R·Rᵀ = matrix. */
function reversedCholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const r = Float64Array.from(matrix)
  // Column j of R from the rows of the lower right that are done; rows are contiguous.
  for (let j = size - 1; j >= 0; j--) {
    for (let i = 0; i <= j; i++) {
      let sum = r[i * size + j]!
      const [rowI, rowJ] = [i * size, j * size]
      for (let k = j + 1; k < size; k++) sum -= r[rowI + k]! * r[rowJ + k]!
      r[rowI + j] = sum
    }
    const pivot = r[j * size + j]!
    if (!(pivot > 0)) return undefined
    const root = Math.sqrt(pivot)
    for (let i = 0; i < j; i++) r[i * size + j]! /= root
    r[j * size + j] = root
  }
  for (let i = 0; i < size; i++) r.fill(0, i * size, i * size + i)
  return r
}

/** The inverse of an upper triangular matrix, row by row from the last. */
function invertUpper(r: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size)
  for (let i = size - 1; i >= 0; i--) {
    const row = i * size
    const diagonal = 1 / r[row + i]!
    // Row i of R⁻¹ = (e_i − Σ_{k>i} R[i,k] · row k of R⁻¹) / R[i,i].
    for (let k = i + 1; k < size; k++) {
      const factor = r[row + k]! * diagonal
      if (factor === 0) continue
      const source = k * size
      for (let j = k; j < size; j++) inverse[row + j]! -= factor * inverse[source + j]!
    }
    inverse[row + i] = diagonal
  }
  return inverse
}
