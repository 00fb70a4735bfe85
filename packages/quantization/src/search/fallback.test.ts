import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { QuantizeVerifiedResult } from '../static/quantize-verified.js'
import { type Attempt, fallBack } from './fallback.js'

const RESULT = { layers: [] } as unknown as QuantizeVerifiedResult

/** A caller who is content exactly when all of `needed` are float; each lowers the drop. */
function pickyCaller(needed: readonly string[], count: number) {
  const drop = (floats: readonly string[]) =>
    needed.filter((layer) => !floats.includes(layer)).length
  const judged = (floats: readonly string[]): Attempt => ({
    floats,
    result: RESULT,
    verdict: { met: drop(floats) === 0, drop: drop(floats) },
  })
  return {
    start: judged([]),
    attempt: (floats: readonly string[]) =>
      Promise.resolve(floats.length === count ? undefined : judged(floats)),
  }
}

const layers = (count: number) => Array.from({ length: count }, (_, i) => `layer${i}`)

describe('fallBack', () => {
  it('leaves float exactly the layers that must be, wherever they rank', async () => {
    const cases = fc
      .integer({ min: 2, max: 40 })
      .chain((count) =>
        fc.tuple(
          fc.constant(count),
          fc.subarray(layers(count), { minLength: 1, maxLength: count - 1 }),
          fc.shuffledSubarray(layers(count), { minLength: count, maxLength: count }),
        ),
      )
    await fc.assert(
      fc.asyncProperty(cases, async ([count, needed, ranking]) => {
        // All but the last may be asked for: with every layer float nothing is quantized.
        fc.pre(ranking.at(-1) === undefined || !needed.includes(ranking.at(-1)!))
        const { best } = await fallBack({ ranking, ...pickyCaller(needed, count) })
        expect([...best.floats].sort()).toEqual([...needed].sort())
        expect(best.verdict.met).toBe(true)
      }),
    )
  })

  it('asks about as often as the logarithm when one layer is to blame', async () => {
    const ranking = layers(64)
    const { attempts } = await fallBack({ ranking, ...pickyCaller(['layer0'], 64) })
    expect(attempts).toHaveLength(1)
  })

  it('gives the least drop there was when nothing makes the caller content', async () => {
    const never = pickyCaller([...layers(3), 'another model'], 3)
    const { best } = await fallBack({ ranking: layers(3), ...never })
    expect(best.verdict).toEqual({ met: false, drop: 2 })
  })
})
