import { describe, expect, it } from 'vitest'

import { dequantize, type QuantizedMatrix, storedScale, type WeightMatrix } from './block-grid.js'
import { descendCodes } from './descend-codes.js'
import { outputError } from './error.js'
import { fitScales } from './fit-scales.js'
import { quantizeForOutput } from './quantize-for-output.js'
import { quantizeRtn } from './rtn.js'
import { correlatedInputs, FOUR_BITS, gramOf, randomMatrix } from './testing.js'

const COLUMNS = 72

function subject(seed: number, samples = 200) {
  const matrix = randomMatrix(12, COLUMNS, seed)
  const gram = gramOf(correlatedInputs(samples, COLUMNS, seed + 100), COLUMNS)
  return { matrix, gram, rounded: quantizeRtn(matrix, FOUR_BITS) }
}

/** Of each row by itself. */
function rowErrors(matrix: WeightMatrix, quantized: QuantizedMatrix, gram: Float64Array) {
  const { values } = dequantize(quantized)
  return Array.from({ length: matrix.rows }, (_, row) => {
    const part = ({ values: all }: Pick<WeightMatrix, 'values'>): WeightMatrix => ({
      ...{ rows: 1, columns: COLUMNS },
      values: all.subarray(row * COLUMNS, (row + 1) * COLUMNS),
    })
    return outputError(part(matrix), part({ values }), gram).error
  })
}

const seeds = Array.from({ length: 12 }, (_, seed) => seed)

describe('fitScales', () => {
  it('makes no row worse, and most better', () => {
    for (const seed of seeds) {
      const { matrix, gram, rounded } = subject(seed)
      const before = rowErrors(matrix, rounded, gram)
      const after = rowErrors(matrix, fitScales(matrix, rounded, gram), gram)
      after.forEach((error, row) => expect(error).toBeLessThanOrEqual(before[row]! * (1 + 1e-6)))
      expect(after.filter((error, row) => error < before[row]!).length).toBeGreaterThan(6)
    }
  })

  it('finds the scales that the codes were made with', () => {
    const { matrix: weights, gram, rounded } = subject(3)
    const matrix = dequantize(quantizeRtn(weights, FOUR_BITS))
    const wrong = { ...rounded, scales: rounded.scales.map((scale) => scale * 1.05) }
    const { scales } = fitScales(matrix, wrong, gram)
    scales.forEach((scale, i) =>
      expect(Math.abs(scale / rounded.scales[i]! - 1)).toBeLessThan(0.02),
    )
  })

  it('stores scales as they will be read back', () => {
    const { matrix, gram } = subject(4)
    const spec = { ...FOUR_BITS, scaleType: 'float16' } as const
    const { scales } = fitScales(matrix, quantizeRtn(matrix, spec), gram)
    for (const scale of scales) expect(storedScale(scale, spec)).toBe(scale)
  })

  it('keeps what inputs that are always 0 tell nothing about', () => {
    const { matrix, rounded } = subject(5)
    expect(fitScales(matrix, rounded, new Float64Array(COLUMNS ** 2))).toEqual(rounded)
  })
})

describe('descendCodes', () => {
  it('errs less than rounding to nearest, with codes that exist', () => {
    for (const seed of seeds) {
      const { matrix, gram, rounded } = subject(seed)
      const settled = descendCodes(matrix, rounded, gram)
      const [before, after] = [rounded, settled].map(
        (quantized) => outputError(matrix, dequantize(quantized), gram).error,
      )
      expect(after!).toBeLessThan(before! / 2)
      expect(settled.codes.every((code) => code <= 15)).toBe(true)
    }
  })

  it('leaves weights as they were rounded where inputs have nothing in common', () => {
    const { matrix, rounded } = subject(6)
    const gram = new Float64Array(COLUMNS ** 2)
    for (let i = 0; i < COLUMNS; i++) gram[i * COLUMNS + i] = 1 + (i % 5)
    expect(descendCodes(matrix, rounded, gram)).toEqual(rounded)
  })
})

describe('quantizeForOutput', () => {
  it.each([200, 3])('never errs more than round to nearest, after %i rows of data', (samples) => {
    for (const seed of seeds) {
      const { matrix, gram, rounded } = subject(seed, samples)
      const { error, quantized } = quantizeForOutput(matrix, FOUR_BITS, gram)
      expect(error).toBeLessThanOrEqual(outputError(matrix, dequantize(rounded), gram).error)
      expect(error).toBe(outputError(matrix, dequantize(quantized), gram).error)
    }
  })
})
