import { describe, expect, it } from 'vitest'

import { dequantize, type GridSpec, type QuantizedMatrix } from './block-grid.js'
import { outputError, quadraticForm } from './error.js'
import { quantizeGptq } from './gptq.js'
import { quantizeHqq } from './hqq.js'
import { quantizeClipped } from './quantize-clipped.js'
import { quantizeRtn } from './rtn.js'
import { correlatedInputs, FOUR_BITS, gramOf, randomMatrix } from './testing.js'
import { inverseCholesky } from './triangular.js'

const matrix = randomMatrix(24, 70, 1)
const gram = gramOf(correlatedInputs(300, 70, 2), 70)
const options = { gram, damping: 0.01, actOrder: false }

const GRIDS: readonly GridSpec[] = [
  FOUR_BITS,
  { ...FOUR_BITS, symmetric: true },
  { ...FOUR_BITS, bits: 2 },
  { ...FOUR_BITS, bits: 8, blockSize: 32 },
]

function errorOf(quantized: QuantizedMatrix): number {
  return outputError(matrix, dequantize(quantized), gram).error
}

function lpError(quantized: QuantizedMatrix): number {
  const rounded = dequantize(quantized).values
  return matrix.values.reduce((sum, w, i) => sum + Math.abs(w - rounded[i]!) ** 0.7, 0)
}

describe('inverseCholesky', () => {
  it('gives U with UᵀU·H = 1', () => {
    const size = 45
    const h = gramOf(correlatedInputs(150, size, 3), size)
    const u = inverseCholesky(h, size)!
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        if (j < i) expect(u[i * size + j]).toBe(0)
        let product = 0
        for (let k = 0; k < size; k++) {
          let inverse = 0
          for (let l = 0; l < size; l++) inverse += u[l * size + i]! * u[l * size + k]!
          product += inverse * h[k * size + j]!
        }
        expect(product).toBeCloseTo(i === j ? 1 : 0, 6)
      }
    }
  })

  it('refuses a matrix that is not positive definite', () => {
    expect(inverseCholesky(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined()
  })
})

describe('quantizeRtn', () => {
  it('errs by half a step at most where nothing is clipped', () => {
    const quantized = quantizeRtn(matrix, FOUR_BITS)
    const rounded = dequantize(quantized).values
    matrix.values.forEach((w, i) => {
      const block = Math.floor((i % 70) / 16) + Math.floor(i / 70) * quantized.blocks
      // The zero point is rounded too: up to a whole step at the ends.
      expect(Math.abs(w - rounded[i]!)).toBeLessThanOrEqual(quantized.scales[block]! * 1.001)
    })
  })

  it('makes the codes for the scale that is stored, where scales are float16', () => {
    const quantized = quantizeRtn(matrix, { ...FOUR_BITS, scaleType: 'float16' })
    const exact = quantizeRtn(matrix, FOUR_BITS)
    expect(quantized.scales).not.toEqual(exact.scales)
    expect(Math.abs(errorOf(quantized) / errorOf(exact) - 1)).toBeLessThan(0.1)
  })
})

describe('quantizeHqq', () => {
  it.each(GRIDS)('is better than round to nearest in Σ|error|^0.7: %o', (spec) => {
    expect(lpError(quantizeHqq(matrix, spec))).toBeLessThan(lpError(quantizeRtn(matrix, spec)))
  })

  it('does not depend on the unit of the weights', () => {
    const scaled = { ...matrix, values: matrix.values.map((w) => w / 1024) }
    expect(quantizeHqq(scaled, FOUR_BITS).codes).toEqual(quantizeHqq(matrix, FOUR_BITS).codes)
  })

  it('keeps a block of zeros', () => {
    const zeros = { rows: 1, columns: 20, values: new Float32Array(20) }
    expect(dequantize(quantizeHqq(zeros, FOUR_BITS)).values).toEqual(zeros.values)
  })
})

describe('quantizeGptq', () => {
  it.each(GRIDS)(
    'errs less at the output than round to nearest, on correlated inputs: %o',
    (spec) => {
      const error = errorOf(quantizeGptq(matrix, spec, options)!)
      expect(error).toBeLessThan(0.7 * errorOf(quantizeRtn(matrix, spec)))
    },
  )

  it('errs less in activation order too, and differs', () => {
    const plain = quantizeGptq(matrix, FOUR_BITS, options)!
    const ordered = quantizeGptq(matrix, FOUR_BITS, { ...options, actOrder: true })!
    expect(ordered.codes).not.toEqual(plain.codes)
    expect(errorOf(ordered)).toBeLessThan(0.7 * errorOf(quantizeRtn(matrix, FOUR_BITS)))
  })

  it('rounds each column to its nearest code where inputs are not correlated', () => {
    const identity = new Float64Array(70 * 70)
    for (let i = 0; i < 70; i++) identity[i * 71] = 1
    const ordered = { gram: identity, damping: 0, actOrder: true }
    expect(quantizeGptq(matrix, FOUR_BITS, ordered)).toEqual(quantizeRtn(matrix, FOUR_BITS))
  })

  it('takes inputs that are always zero, and repeated inputs', () => {
    const x = correlatedInputs(40, 70, 5).map((value, i) => (i % 70 === 7 ? 0 : value))
    const singular = gramOf(
      x.map((value, i) => (i % 70 === 9 ? x[i - 1]! : value)),
      70,
    )
    const quantized = quantizeGptq(matrix, FOUR_BITS, { ...options, gram: singular })!
    const error = (other: QuantizedMatrix) => outputError(matrix, dequantize(other), singular).error
    expect(error(quantized)).toBeLessThan(error(quantizeRtn(matrix, FOUR_BITS)))
  })

  it('gives up on statistics that say nothing', () => {
    const zeros = new Float64Array(70 * 70)
    expect(quantizeGptq(matrix, FOUR_BITS, { ...options, gram: zeros })).toBeUndefined()
  })
})

describe('quantizeClipped', () => {
  it('errs less than round to nearest by the block-diagonal part of the Gram matrix', () => {
    const blockwise = gram.map((value, at) => {
      const [i, j] = [Math.floor(at / 70), at % 70]
      return Math.floor(i / 16) === Math.floor(j / 16) ? value : 0
    })
    const spec: GridSpec = { ...FOUR_BITS, bits: 2 }
    const error = (quantized: QuantizedMatrix) =>
      outputError(matrix, dequantize(quantized), blockwise).error
    expect(error(quantizeClipped(matrix, spec, gram))).toBeLessThan(
      error(quantizeRtn(matrix, spec)),
    )
  })
})

describe('outputError', () => {
  it('is the energy of X·Wᵀ', () => {
    const x = correlatedInputs(30, 70, 9)
    const w = matrix.values.subarray(0, 70)
    let energy = 0
    for (let row = 0; row < x.length; row += 70) {
      let y = 0
      for (let i = 0; i < 70; i++) y += x[row + i]! * w[i]!
      energy += y * y
    }
    expect(quadraticForm(w, gramOf(x, 70)) / energy).toBeCloseTo(1, 5)
  })
})
