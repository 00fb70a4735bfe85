import { ACTIVATION_TYPES } from '@pare/recipe'
import { roundHalfToEven } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { INTEGER_RANGES } from './integer-type.js'
import { activationParams, symmetricScale } from './params.js'

const ASYMMETRIC = { symmetric: false }

describe('activationParams', () => {
  it.each([
    // as onnxruntime.quantization computes them
    [{ min: -1, max: 3 }, 'uint8', { scale: 4 / 255, zeroPoint: 64 }],
    [{ min: 0, max: 255 }, 'uint8', { scale: 1, zeroPoint: 0 }],
    [{ min: 2, max: 5 }, 'uint8', { scale: 5 / 255, zeroPoint: 0 }],
    [{ min: -5, max: -2 }, 'uint8', { scale: 5 / 255, zeroPoint: 255 }],
    [{ min: -1, max: 3 }, 'int8', { scale: 4 / 255, zeroPoint: -64 }],
    [{ min: 0, max: 255 }, 'int8', { scale: 1, zeroPoint: -128 }],
  ] as const)('maps %o to %s', (range, type, { scale, zeroPoint }) => {
    const params = activationParams(range, type, ASYMMETRIC)
    expect(params).toEqual({ scale: Math.fround(scale), zeroPoint })
  })

  it.each([
    [{ min: -2, max: 1 }, 'int8', { scale: 2 / 127, zeroPoint: 0 }],
    [{ min: 0, max: 1 }, 'int8', { scale: 1 / 127, zeroPoint: 0 }],
    [{ min: -2, max: 1 }, 'uint8', { scale: 4 / 255, zeroPoint: 128 }],
  ] as const)('maps %o to symmetric %s', (range, type, { scale, zeroPoint }) => {
    const params = activationParams(range, type, { symmetric: true })
    expect(params).toEqual({ scale: Math.fround(scale), zeroPoint })
  })

  it('rounds a zero point that lies between two integers to the even one', () => {
    // 0.5 / (1 / 255) = 127.5
    expect(activationParams({ min: -127.5, max: 127.5 }, 'uint8', ASYMMETRIC).zeroPoint).toBe(128)
    expect(activationParams({ min: -126.5, max: 128.5 }, 'uint8', ASYMMETRIC).zeroPoint).toBe(126)
  })

  it.each(ACTIVATION_TYPES)('gives a tensor of zeros scale 1 and cuts negatives, %s', (type) => {
    const { qmin } = INTEGER_RANGES[type]
    expect(activationParams({ min: 0, max: 1e-44 }, type, ASYMMETRIC)).toEqual({
      scale: 1,
      zeroPoint: qmin,
    })
  })

  it('represents 0 exactly and every value of the range to half a step', () => {
    const value = fc.float({ min: -1e6, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(value, value, fc.constantFrom(...ACTIVATION_TYPES), (a, b, type) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)]
        fc.pre(Math.max(max, 0) - Math.min(min, 0) > 1e-30)
        const { scale, zeroPoint } = activationParams({ min, max }, type, ASYMMETRIC)
        const { qmin, qmax } = INTEGER_RANGES[type]
        expect(zeroPoint).toBeGreaterThanOrEqual(qmin)
        expect(zeroPoint).toBeLessThanOrEqual(qmax)
        for (const x of [min, max]) {
          const q = Math.min(Math.max(roundHalfToEven(x / scale) + zeroPoint, qmin), qmax)
          // Rounding the zero point may cut half a step more at one end.
          expect(Math.abs((q - zeroPoint) * scale - x)).toBeLessThanOrEqual(scale * 1.001)
        }
      }),
    )
  })
})

describe('symmetricScale', () => {
  it('maps the greatest magnitude to the greatest integer', () => {
    expect(symmetricScale(12.7, 127)).toBe(Math.fround(0.1))
  })

  it('gives zeros scale 1', () => {
    expect(symmetricScale(0, 127)).toBe(1)
  })
})
