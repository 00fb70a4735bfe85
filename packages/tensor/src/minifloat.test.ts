import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from './float16.js'
import {
  decodeFloat8e8m0,
  decodeMiniFloat,
  decodeTable,
  encodeFloat8e8m0,
  encodeMiniFloat,
  type MiniFloatType,
} from './minifloat.js'

const BITS: Readonly<Record<MiniFloatType, number>> = {
  float16: 16,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  float6e2m3: 6,
  float6e3m2: 6,
  float4e2m1: 4,
}
const TYPES = Object.keys(BITS) as MiniFloatType[]

describe.each(TYPES)('%s', (type) => {
  const codes = Array.from({ length: 1 << BITS[type] }, (_, code) => code)
  const numbers = codes.map((code) => decodeMiniFloat(type, code))
  const finite = Float64Array.from(numbers.filter((x) => Number.isFinite(x))).sort()

  it('gives back every code', () => {
    const wrong = codes.filter(
      (code) =>
        !Number.isNaN(numbers[code]) &&
        encodeMiniFloat(type, numbers[code]!, { saturate: false }) !== code,
    )
    expect(wrong).toEqual([])
  })

  it('takes the nearer of two neighbours and the even one of a tie', () => {
    const decoded = (x: number) => decodeMiniFloat(type, encodeMiniFloat(type, x))
    const wrong = Array.from(finite.slice(1)).filter((high, i) => {
      const low = finite[i]!
      const middle = low / 2 + high / 2
      const step = high / 8 - low / 8
      return (
        high !== low &&
        (encodeMiniFloat(type, middle) % 2 !== 0 ||
          Math.abs(decoded(middle) - middle) !== high / 2 - low / 2 ||
          decoded(middle - step) !== low ||
          decoded(middle + step) !== high)
      )
    })
    expect(wrong).toEqual([])
  })

  it('never sorts two numbers the wrong way round', () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 })
    const decoded = (x: number) => decodeMiniFloat(type, encodeMiniFloat(type, x))
    fc.assert(fc.property(double, double, (a, b) => a > b || decoded(a) <= decoded(b)))
  })
})

describe('values beyond the largest', () => {
  // The tables of the Cast operator (opset 24) and docs/technical/float8.md.
  it.each([
    ['float8e4m3fn', true, 448, 448],
    ['float8e4m3fn', false, NaN, NaN],
    ['float8e4m3fnuz', true, 240, 240],
    ['float8e4m3fnuz', false, NaN, NaN],
    ['float8e5m2', true, 57344, 57344],
    ['float8e5m2', false, Infinity, Infinity],
    ['float8e5m2fnuz', true, 57344, 57344],
    ['float8e5m2fnuz', false, NaN, NaN],
    ['float16', true, Infinity, Infinity],
    ['bfloat16', true, Infinity, Infinity],
    ['float6e2m3', false, 7.5, 7.5],
    ['float6e3m2', false, 28, 28],
    ['float4e2m1', false, 6, 6],
  ] as const)('%s with saturate %s', (type, saturate, forLarge, forInfinity) => {
    const cast = (x: number) => decodeMiniFloat(type, encodeMiniFloat(type, x, { saturate }))
    expect(cast(1e39)).toBe(forLarge)
    expect(cast(-1e39)).toBe(-forLarge)
    expect(cast(Infinity)).toBe(forInfinity)
    expect(cast(-Infinity)).toBe(-forInfinity)
  })

  it('round before they saturate', () => {
    expect(encodeMiniFloat('float8e4m3fn', 464, { saturate: false })).toBe(0x7e)
    expect(encodeMiniFloat('float8e4m3fn', 464.01, { saturate: false })).toBe(0x7f)
    expect(encodeMiniFloat('float16', 65519.99)).toBe(0x7bff)
    expect(encodeMiniFloat('float16', 65520)).toBe(0x7c00)
  })
})

describe('special numbers', () => {
  it('keep the sign of zero only where the format has one', () => {
    expect(encodeMiniFloat('float8e4m3fn', -0)).toBe(0x80)
    expect(encodeMiniFloat('float8e4m3fnuz', -0)).toBe(0)
    expect(encodeMiniFloat('float8e5m2fnuz', -1e-30)).toBe(0)
    expect(encodeMiniFloat('float4e2m1', -0)).toBe(8)
  })

  it('make NaN NaN where the format has one', () => {
    for (const type of TYPES.filter((name) => BITS[name] >= 8)) {
      expect(decodeMiniFloat(type, encodeMiniFloat(type, NaN))).toBeNaN()
    }
  })

  it('are decoded as the formats define them', () => {
    expect([...decodeTable('float4e2m1')]).toEqual([
      0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6,
    ])
    expect(decodeMiniFloat('float8e4m3fn', 0x01)).toBe(2 ** -9)
    expect(decodeMiniFloat('float8e4m3fnuz', 0x01)).toBe(2 ** -10)
    expect(decodeMiniFloat('float8e5m2', 0x01)).toBe(2 ** -16)
    expect(decodeMiniFloat('float8e5m2fnuz', 0x01)).toBe(2 ** -17)
  })
})

describe('float8e8m0', () => {
  it('gives back every power of two', () => {
    for (let code = 1; code < 255; code++) {
      expect(encodeFloat8e8m0(decodeFloat8e8m0(code))).toBe(code)
    }
    expect(decodeFloat8e8m0(255)).toBeNaN()
    expect(encodeFloat8e8m0(NaN)).toBe(255)
  })

  it('rounds as asked', () => {
    const cast = (x: number, roundMode: 'up' | 'down' | 'nearest') =>
      decodeFloat8e8m0(encodeFloat8e8m0(x, { roundMode }))
    expect(cast(1.25, 'up')).toBe(2)
    expect(cast(1.75, 'down')).toBe(1)
    expect(cast(1.49, 'nearest')).toBe(1)
    expect(cast(1.5, 'nearest')).toBe(2)
    expect(encodeFloat8e8m0(3.4e38)).toBe(254)
    expect(encodeFloat8e8m0(3.4e38, { saturate: false })).toBe(255)
  })
})

describe('arrays of 16-bit floats', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, code) => code)

  it('decode as the scalar conversion does', () => {
    const half = decodeFloat16(all)
    const brain = decodeBfloat16(all)
    const wrong = Array.from(all).filter(
      (code) =>
        !Object.is(half[code], decodeMiniFloat('float16', code)) ||
        !Object.is(brain[code], decodeMiniFloat('bfloat16', code)),
    )
    expect(wrong).toEqual([])
  })

  it('encode as the scalar conversion does', () => {
    const bits = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 200 })
    fc.assert(
      fc.property(bits, (patterns) => {
        const floats = new Float32Array(Uint32Array.from(patterns).buffer)
        const half = encodeFloat16(floats)
        const brain = encodeBfloat16(floats)
        floats.forEach((x, i) => {
          if (Number.isNaN(x)) {
            expect(decodeMiniFloat('float16', half[i]!)).toBeNaN()
            expect(decodeMiniFloat('bfloat16', brain[i]!)).toBeNaN()
          } else {
            expect(half[i]).toBe(encodeMiniFloat('float16', x))
            expect(brain[i]).toBe(encodeMiniFloat('bfloat16', x))
          }
        })
      }),
    )
  })
})
