// f1 and auroc against their plain definitions.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { floats, int64, judgeBatches, type TestBatch } from './testing.js'

interface Sample {
  readonly x: number
  readonly y: number
  readonly label: number
}

// Few different scores, so that ties are frequent.
const score = fc.integer({ min: -4, max: 4 })
const sample: fc.Arbitrary<Sample> = fc.record({ x: score, y: score, label: fc.nat(1) })
const samples = fc.array(sample, { minLength: 2, maxLength: 30 })
const columns = fc.constantFrom(0, 1, 2)

/** Scores [n], [n, 1], or [n, 2] with a score of class 0 that shifts both. */
function batch(part: readonly Sample[], width: number): TestBatch {
  const tensor = (read: (one: Sample) => number) => {
    const dims = width === 0 ? [part.length] : [part.length, width]
    return floats(
      dims,
      part.flatMap((one) => (width === 2 ? [3, 3 + read(one)] : [read(one)])),
    )
  }
  return {
    original: tensor(({ x }) => x),
    result: tensor(({ y }) => y),
    labels: int64(
      [part.length],
      part.map(({ label }) => label),
    ),
  }
}

const cut = (all: readonly Sample[], width: number) =>
  [all.slice(0, 1), all.slice(1)].map((part) => batch(part, width))

describe('auroc', () => {
  /** Of all pairs, those in order, ties half. */
  function plain(all: readonly Sample[], read: (one: Sample) => number): number {
    const [positives, negatives] = [1, 0].map((label) => all.filter((one) => one.label === label))
    const pairs = positives!.flatMap((p) => negatives!.map((n) => Math.sign(read(p) - read(n))))
    return pairs.reduce<number>((sum, order) => sum + (order + 1) / 2, 0) / pairs.length
  }

  it('is the share of pairs in order, however the data is cut and ordered', () => {
    fc.assert(
      fc.property(samples, columns, (all, width) => {
        const found = judgeBatches('auroc', cut(all, width))
        const isOneClass = new Set(all.map(({ label }) => label)).size < 2
        if (isOneClass) {
          expect(found).toBeNull()
          return
        }
        expect(found?.original.value).toBeCloseTo(
          plain(all, ({ x }) => x),
          12,
        )
        expect(found?.result.value).toBeCloseTo(
          plain(all, ({ y }) => y),
          12,
        )
        const turned = judgeBatches('auroc', cut(all.toReversed(), width))
        expect(turned?.original.value).toBeCloseTo(found!.original.value, 12)
      }),
    )
  })

  it('has the variance of DeLong, from the pairs themselves', () => {
    const all = fc.sample(sample, { numRuns: 60, seed: 5 })
    const found = judgeBatches('auroc', [batch(all, 1)])!
    const [positives, negatives] = [1, 0].map((label) => all.filter((one) => one.label === label))
    const psi = (read: (one: Sample) => number, p: Sample, n: Sample) =>
      (Math.sign(read(p) - read(n)) + 1) / 2
    const variance = (values: readonly number[]) => {
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length
      return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)
    }
    const error = (kernel: (p: Sample, n: Sample) => number) => {
      const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
      const v10 = positives!.map((p) => mean(negatives!.map((n) => kernel(p, n))))
      const v01 = negatives!.map((n) => mean(positives!.map((p) => kernel(p, n))))
      return Math.sqrt(variance(v10) / v10.length + variance(v01) / v01.length)
    }
    const before = (one: Sample) => one.x
    const after = (one: Sample) => one.y
    const half = ({ low, high }: { low: number; high: number }) => (high - low) / 2
    expect(half(found.original.interval!)).toBeCloseTo(1.96 * error((p, n) => psi(before, p, n)), 4)
    const paired = error((p, n) => psi(after, p, n) - psi(before, p, n))
    expect(half(found.difference!)).toBeCloseTo(1.96 * paired, 4)
  })

  it('takes NaN for wrong', () => {
    const labels = int64([3], [1, 0, 0])
    const [original, result] = [floats([3], [1, 0, 0]), floats([3], [NaN, 0, 0])]
    expect(judgeBatches('auroc', [{ original, result, labels }])).toMatchObject({
      original: { value: 1 },
      result: { value: 0 },
    })
  })
})

describe('f1', () => {
  function plain(all: readonly Sample[], read: (one: Sample) => number, threshold: number): number {
    const says = all.filter((one) => read(one) > threshold)
    const right = says.filter(({ label }) => label === 1).length
    const positives = all.filter(({ label }) => label === 1).length
    return (2 * right) / (says.length + positives)
  }

  it('is 2 TP / (2 TP + FP + FN), however the data is cut', () => {
    fc.assert(
      fc.property(samples, columns, (all, width) => {
        const found = judgeBatches('f1', cut(all, width))
        if (all.every(({ label }) => label === 0)) {
          expect(found).toBeNull()
          return
        }
        const couldBeProbabilities = width < 2 && all.every(({ x }) => x === 0 || x === 1)
        const threshold = couldBeProbabilities ? 0.5 : 0
        expect(found?.details?.['threshold']).toBe(threshold)
        expect(found?.original.value).toBeCloseTo(
          plain(all, ({ x }) => x, threshold),
          12,
        )
        expect(found?.result.value).toBeCloseTo(
          plain(all, ({ y }) => y, threshold),
          12,
        )
      }),
    )
  })

  it('takes ½ for the threshold of probabilities, also if the last batch alone shows logits', () => {
    const labels = int64([2], [1, 0])
    const part = (...values: number[]): TestBatch => ({ original: floats([2], values), labels })
    const f1Of = (batches: readonly TestBatch[]) => judgeBatches('f1', batches)?.original.value
    expect(f1Of([part(0.6, 0.4)])).toBe(1)
    expect(f1Of([part(0.6, 0.4), part(0.9, -2)])).toBeCloseTo(0.8, 12)
  })

  it('has the error that leaving out samples shows, alone and paired', () => {
    const all = fc.sample(sample, { numRuns: 300, seed: 11 })
    const found = judgeBatches('f1', [batch(all, 1)])!
    const jackknife = (read: (part: readonly Sample[]) => number) => {
      const without = all.map((_, index) => read(all.toSpliced(index, 1)))
      const mean = without.reduce((sum, value) => sum + value, 0) / all.length
      const squares = without.reduce((sum, value) => sum + (value - mean) ** 2, 0)
      return Math.sqrt(((all.length - 1) / all.length) * squares)
    }
    const half = ({ low, high }: { low: number; high: number }) => (high - low) / 2
    const alone = jackknife((part) => plain(part, ({ x }) => x, 0))
    const paired = jackknife((part) => plain(part, ({ y }) => y, 0) - plain(part, ({ x }) => x, 0))
    expect(half(found.original.interval!) / alone).toBeCloseTo(1.968, 1)
    expect(half(found.difference!) / paired).toBeCloseTo(1.968, 1)
  })

  it.each([
    ['three scores', { original: floats([2, 3], [1, 2, 3, 4, 5, 6]), labels: int64([2], [0, 1]) }],
    ['three classes', { original: floats([2], [1, 2]), labels: int64([2], [2, 1]) }],
    ['labels of places', { original: floats([2], [1, 2]), labels: int64([2, 2], [0, 1, 1, 0]) }],
  ])('refuses %s', (_, one: TestBatch) => {
    for (const metric of ['f1', 'auroc'] as const) {
      expect(() => judgeBatches(metric, [one])).toThrow(
        expect.objectContaining({ code: 'outputs_not_scores' }),
      )
    }
  })
})
