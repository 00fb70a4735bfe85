// A linear classifier in closed form.

/**
 * Ridge regression (Hoerl and Kennard, Technometrics 12, 1970) of one-hot classes on the rows of
 * `features`, [samples, width]: `weights` [classes, width] and `bias` [classes]. `penalty` is in
 * parts of the mean square of a feature.
 */
export function ridge(features, labels, { classes, penalty }) {
  const samples = labels.length
  const width = features.length / samples
  const mean = columnMeans(features, width)
  const centred = Float64Array.from(features, (value, i) => value - mean[i % width])
  const gram = new Float64Array(width * width)
  const right = new Float64Array(width * classes)
  for (let n = 0; n < samples; n++) {
    const row = centred.subarray(n * width, (n + 1) * width)
    for (let i = 0; i < width; i++) {
      const value = row[i]
      for (let j = 0; j <= i; j++) gram[i * width + j] += value * row[j]
      right[i * classes + labels[n]] += value
    }
  }
  let trace = 0
  for (let i = 0; i < width; i++) trace += gram[i * width + i]
  for (let i = 0; i < width; i++) gram[i * width + i] += (penalty * trace) / width
  const solution = solve(gram, right, { width, columns: classes })
  const weights = new Float32Array(classes * width)
  const bias = new Float32Array(classes)
  for (let c = 0; c < classes; c++) {
    const share = labels.filter((label) => label === c).length / samples
    let offset = share
    for (let i = 0; i < width; i++) {
      weights[c * width + i] = solution[i * classes + c]
      offset -= solution[i * classes + c] * mean[i]
    }
    bias[c] = offset
  }
  return { weights, bias }
}

function columnMeans(values, width) {
  const means = new Float64Array(width)
  for (let i = 0; i < values.length; i++) means[i % width] += values[i]
  return means.map((sum) => (sum * width) / values.length)
}

/** Cholesky, in place: only the lower triangle of `matrix` is read. */
function solve(matrix, right, { width, columns }) {
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * width + j]
      for (let k = 0; k < j; k++) sum -= matrix[i * width + k] * matrix[j * width + k]
      matrix[i * width + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * width + j]
    }
  }
  for (let c = 0; c < columns; c++) {
    for (let i = 0; i < width; i++) {
      let sum = right[i * columns + c]
      for (let k = 0; k < i; k++) sum -= matrix[i * width + k] * right[k * columns + c]
      right[i * columns + c] = sum / matrix[i * width + i]
    }
    for (let i = width - 1; i >= 0; i--) {
      let sum = right[i * columns + c]
      for (let k = i + 1; k < width; k++) sum -= matrix[k * width + i] * right[k * columns + c]
      right[i * columns + c] = sum / matrix[i * width + i]
    }
  }
  return right
}
