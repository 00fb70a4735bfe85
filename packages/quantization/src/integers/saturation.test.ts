import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomValues } from '../testing.js'
import { quantizeWeight, type WeightRange } from './quantize-weight.js'
import { saturates } from './saturation.js'

/**
 * uint8 · int8 as onnxruntime's AVX2 kernel computes it: `vpmaddubsw` adds two neighbouring products
 * with saturation to int16, `vpmaddwd` by ones widens to int32 and adds exactly.
 */
function dotWithInt16Sums(a: Uint8Array, b: Int8Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k += 2) {
    const pair = a[k]! * b[k]! + (a[k + 1] ?? 0) * (b[k + 1] ?? 0)
    sum += Math.min(Math.max(pair, -32768), 32767)
  }
  return sum
}

function exactDot(a: Uint8Array, b: Int8Array): number {
  return a.reduce((sum, value, k) => sum + value * b[k]!, 0)
}

const K = 64
const CHANNELS = 32

function channels(range: WeightRange): readonly Int8Array[] {
  const weights = quantizeWeight(randomValues(CHANNELS * K, 5), [CHANNELS, K], { range, axis: 0 })
  return Array.from({ length: CHANNELS }, (_, c) => weights.data.subarray(c * K, (c + 1) * K))
}

/** Activations as calibration leaves them: from 0 to the very end of the range. */
function activations(seed: number): Uint8Array {
  const random = createRandom(seed)
  return Uint8Array.from({ length: K }, () => (random.below(3) === 0 ? 255 : random.below(256)))
}

function wrongResults(range: WeightRange): number {
  let wrong = 0
  for (let seed = 0; seed < 200; seed++) {
    const a = activations(seed)
    for (const b of channels(range)) if (dotWithInt16Sums(a, b) !== exactDot(a, b)) wrong++
  }
  return wrong
}

describe('integer saturation on processors without VNNI', () => {
  it('spoils results of full-range weights', () => {
    expect(wrongResults('full')).toBeGreaterThan(100)
  })

  it.each(['pairwise', 'reduced'] as const)('cannot happen with %s weights', (range) => {
    expect(wrongResults(range)).toBe(0)
  })

  it('cannot happen with pairwise weights however a kernel orders them', () => {
    const random = createRandom(9)
    for (const channel of channels('pairwise')) {
      const order = random.permutation(K)
      const shuffled = Int8Array.from(order, (k) => channel[k]!)
      const worst = new Uint8Array(K).fill(255)
      expect(dotWithInt16Sums(worst, shuffled)).toBe(exactDot(worst, shuffled))
    }
  })

  it('is expected wherever the target may have such a processor', () => {
    expect(['auto', 'portable', 'avx2', 'avx512'].map((isa) => saturates(isa as 'auto'))).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect([saturates('vnni'), saturates('neon')]).toEqual([false, false])
  })
})
