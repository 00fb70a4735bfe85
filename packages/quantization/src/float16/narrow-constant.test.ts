import { tensorFromFloat32, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { constantOverflow, narrowConstant } from './narrow-constant.js'

const tensor = (...values: number[]) =>
  tensorFromFloat32([values.length], Float32Array.from(values))
const narrow = (values: number[], raiseTo = 0, type: 'float16' | 'bfloat16' = 'float16') => {
  const { tensor: narrowed, report } = narrowConstant(tensor(...values), { type, raiseTo })
  expect(narrowed.dataType).toBe(type)
  return { values: [...toFloat32(narrowed)], report }
}

describe('constants in the narrow type', () => {
  it('are rounded half to even', () => {
    expect(narrow([2049, 2051, 1 + 2 ** -11, 1 + 3 * 2 ** -11]).values).toEqual([
      2048,
      2052,
      1,
      1 + 2 ** -9,
    ])
  })

  it('are clamped when finite and beyond the range, from where rounding would give infinity', () => {
    expect(narrow([65519, 65520, -1e9, Infinity, -Infinity])).toEqual({
      values: [65504, 65504, -65504, Infinity, -Infinity],
      report: { clamped: 2, flushed: 0, raised: 0 },
    })
  })

  it('count what becomes 0: half the least subnormal and less', () => {
    const { values, report } = narrow([2 ** -25, 2 ** -25 * 1.001, -1e-9, 0])
    expect(values).toEqual([0, 2 ** -24, -0, 0])
    expect(report).toEqual({ clamped: 0, flushed: 2, raised: 0 })
  })

  it('are raised to the least positive value on request, never below what the type holds', () => {
    expect(narrow([1e-12, -1e-12, 0, 1], 1e-7)).toEqual({
      values: [2 ** -23, -(2 ** -23), 0, 1],
      report: { clamped: 0, flushed: 0, raised: 2 },
    })
    expect(narrow([1e-12], 1e-30).values).toEqual([2 ** -24])
  })

  it('keep NaN, and the range of float32 in bfloat16', () => {
    expect(narrow([NaN]).values).toEqual([NaN])
    expect(narrow([1e38, 3.4028234663852886e38, 1e-30], 0, 'bfloat16').report).toEqual({
      clamped: 1,
      flushed: 0,
      raised: 0,
    })
  })

  it('overflow by policy: stand-ins for infinity are clamped, others are not converted', () => {
    expect(constantOverflow(tensor(1, -70000), 'float16', 'auto')).toBe(70000)
    expect(constantOverflow(tensor(1, -70000), 'float16', 'clamp')).toBeUndefined()
    expect(constantOverflow(tensor(1, -1e9, Infinity), 'float16', 'auto')).toBeUndefined()
    expect(constantOverflow(tensor(1, -1e9), 'float16', 'keep_float32')).toBe(1e9)
    expect(constantOverflow(tensor(65504), 'float16', 'keep_float32')).toBeUndefined()
  })
})
