// Metrics of places against their plain definitions, on random tensors of every layout.
import type { RuntimeTensor } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { countMetrics } from './metric-table.js'
import { classAxis } from './places.js'
import { batchOf, floats, int64, judgeBatches, type TestBatch } from './testing.js'

const CLASSES = 4
const PLACES = 6

interface Sample {
  readonly x: readonly (readonly number[])[]
  readonly y: readonly (readonly number[])[]
  readonly labels: readonly number[]
}

// Few different values, so that ties are frequent; −100 is ignored.
const row = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: CLASSES, maxLength: CLASSES })
const scores = fc.array(row, { minLength: PLACES, maxLength: PLACES })
const label = fc.oneof(fc.nat(CLASSES - 1), fc.constant(-100))
const labels = fc.array(label, { minLength: PLACES, maxLength: PLACES })
const sample: fc.Arbitrary<Sample> = fc.record({ x: scores, y: scores, labels })
const samples = fc.array(sample, { minLength: 2, maxLength: 7 })

type Layout = 'positions' | 'nchw' | 'nhwc'

function tensorOf(rows: readonly (readonly (readonly number[])[])[], layout: Layout) {
  const n = rows.length
  if (layout === 'positions') return floats([n, PLACES, CLASSES], rows.flat(2))
  if (layout === 'nhwc') return floats([n, 2, 3, CLASSES], rows.flat(2))
  const planes = rows.flatMap((places) =>
    Array.from({ length: CLASSES }, (_, c) => places.map((place) => place[c]!)).flat(),
  )
  return floats([n, CLASSES, 2, 3], planes)
}

function batch(part: readonly Sample[], layout: Layout): TestBatch {
  const dims = layout === 'positions' ? [part.length, PLACES] : [part.length, 2, 3]
  return {
    original: tensorOf(
      part.map(({ x }) => x),
      layout,
    ),
    result: tensorOf(
      part.map(({ y }) => y),
      layout,
    ),
    labels: int64(
      dims,
      part.flatMap((one) => one.labels),
    ),
  }
}

/** One batch, or the first sample apart. */
const cut = (all: readonly Sample[], layout: Layout) =>
  [all.slice(0, 1), all.slice(1)].map((part) => batch(part, layout))

const argmax = (values: readonly number[]) => values.indexOf(Math.max(...values))
const layouts = fc.constantFrom<Layout>('positions', 'nchw', 'nhwc')

function labelled(all: readonly Sample[]) {
  const places = all.flatMap(({ x, y, labels: own }) =>
    own.map((truth, place) => ({ x: x[place]!, y: y[place]!, truth })),
  )
  return places.filter(({ truth }) => truth >= 0)
}

/** The jackknife: what is found without each sample, scattered about its mean. */
function jackknifeError(all: readonly Sample[], read: (part: readonly Sample[]) => number): number {
  const without = all.map((_, index) => read(all.toSpliced(index, 1)))
  const mean = without.reduce((sum, value) => sum + value, 0) / all.length
  const squares = without.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(((all.length - 1) / all.length) * squares)
}

describe('accuracy of places', () => {
  it('counts right places, however they lie and are cut', () => {
    fc.assert(
      fc.property(samples, layouts, (all, layout) => {
        const places = labelled(all)
        const found = judgeBatches('accuracy', cut(all, layout))
        if (places.length === 0) {
          expect(found).toBeNull()
          return
        }
        const right = (read: (place: (typeof places)[number]) => readonly number[]) =>
          places.filter((place) => argmax(read(place)) === place.truth).length
        expect(found?.original).toMatchObject({
          correct: right(({ x }) => x),
          total: places.length,
        })
        expect(found?.result.value).toBe(right(({ y }) => y) / places.length)
        expect(found?.details).toEqual({ ignored_labels: all.length * PLACES - places.length })
      }),
    )
  })

  it('is top1 where each sample has one place', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(row, row, fc.nat(CLASSES - 1)), { minLength: 1 }), (all) => {
        const dims = [all.length, CLASSES]
        const one: TestBatch = {
          original: floats(
            dims,
            all.flatMap(([x]) => x),
          ),
          result: floats(
            dims,
            all.flatMap(([, y]) => y),
          ),
          labels: int64(
            [all.length],
            all.map(([, , truth]) => truth),
          ),
        }
        const { details, ...found } = judgeBatches('accuracy', [one])!
        expect(found).toEqual(judgeBatches('top1', [one]))
        expect(details).toEqual({ ignored_labels: 0 })
      }),
    )
  })

  it('takes places of one sample for no more than one witness', () => {
    // Every place of a sample the same: as many places as one likes say no more than the sample.
    const all = Array.from({ length: 30 }, (_, index): Sample => {
      const good = [[9, 0, 0, 0]]
      const bad = [[0, 9, 0, 0]]
      const of = (isRight: boolean) =>
        Array.from({ length: PLACES }, () => (isRight ? good : bad)[0]!)
      return {
        x: of(index % 3 > 0),
        y: of(index % 2 > 0),
        labels: new Array<number>(PLACES).fill(0),
      }
    })
    const { low, high } = judgeBatches('accuracy', [batch(all, 'positions')])!.original.interval!
    const error = Math.sqrt((2 / 3) * (1 / 3)) / Math.sqrt(29)
    expect((high - low) / 2).toBeCloseTo(2.0452 * error, 3)
  })
})

describe('cross_entropy and perplexity', () => {
  const lossOf = (values: readonly number[], truth: number) =>
    -Math.log(Math.exp(values[truth]!) / values.reduce((sum, value) => sum + Math.exp(value), 0))

  it('is the mean of −log softmax, and its exponential', () => {
    fc.assert(
      fc.property(samples, layouts, (all, layout) => {
        const places = labelled(all)
        if (places.length === 0) return
        const mean = places.reduce((sum, { x, truth }) => sum + lossOf(x, truth), 0) / places.length
        const after =
          places.reduce((sum, { y, truth }) => sum + lossOf(y, truth), 0) / places.length
        const entropy = judgeBatches('cross_entropy', cut(all, layout))!
        expect(entropy.original.value).toBeCloseTo(mean, 10)
        const { original, drop } = judgeBatches('perplexity', cut(all, layout))!
        expect(original.value).toBeCloseTo(Math.exp(mean), 8)
        expect(drop).toBeCloseTo(Math.exp(after) / Math.exp(mean) - 1, 8)
      }),
    )
  })

  it('has the error of a ratio of sums, as leaving out samples shows', () => {
    const all = fc.sample(sample, { numRuns: 200, seed: 3 })
    const { original, difference } = judgeBatches('cross_entropy', [batch(all, 'nchw')])!
    const read = (part: readonly Sample[]) =>
      judgeBatches('cross_entropy', [batch(part, 'nchw')])!.original.value
    const half = (original.interval!.high - original.interval!.low) / 2
    expect(half / jackknifeError(all, read)).toBeCloseTo(1.972, 1)
    expect(difference!.low).toBeLessThan(difference!.high)
  })

  it('neither overflows nor loses great scores', () => {
    const original = floats([1, 2, 3], [1000, 0, -1000, 0, 0, 0])
    const found = judgeBatches('cross_entropy', [{ original, labels: int64([1, 2], [1, 2]) }])
    expect(found?.original.value).toBeCloseTo((1000 + Math.log(3)) / 2, 9)
  })

  it('says where the outputs look like probabilities', () => {
    const note = (original: RuntimeTensor) =>
      judgeBatches('cross_entropy', [{ original, labels: int64([1, 2], [0, 1]) }])?.note
    expect(note(floats([1, 2, 2], [0.25, 0.75, 0.5, 0.5]))).toMatch(/probabilities/)
    expect(note(floats([1, 2, 2], [0.25, 0.5, 0.5, 0.5]))).toBeUndefined()
  })
})

describe('miou', () => {
  /** By the definition: over classes that have a label, |both| / |either|. */
  function plain(
    all: readonly Sample[],
    read: (place: { x: readonly number[]; y: readonly number[] }) => readonly number[],
  ) {
    const places = labelled(all)
    const present = [...new Set(places.map(({ truth }) => truth))]
    const shares = present.map((c) => {
      const either = places.filter((place) => place.truth === c || argmax(read(place)) === c)
      return either.filter((place) => place.truth === argmax(read(place))).length / either.length
    })
    return shares.reduce((sum, share) => sum + share, 0) / present.length
  }

  it('is the mean of intersection over union, however the data is cut', () => {
    fc.assert(
      fc.property(samples, layouts, (all, layout) => {
        const found = judgeBatches('miou', cut(all, layout))
        if (labelled(all).length === 0) {
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
      }),
    )
  })

  it('has the error that leaving out samples shows, alone and paired', () => {
    const all = fc.sample(sample, { numRuns: 200, seed: 7 })
    const { original, difference } = judgeBatches('miou', [batch(all, 'nchw')])!
    const half = ({ low, high }: { low: number; high: number }) => (high - low) / 2
    const alone = jackknifeError(all, (part) => plain(part, ({ x }) => x))
    const paired = jackknifeError(
      all,
      (part) => plain(part, ({ y }) => y) - plain(part, ({ x }) => x),
    )
    expect(half(original.interval!) / alone).toBeCloseTo(1.972, 1)
    expect(half(difference!) / paired).toBeCloseTo(1.972, 1)
  })
})

describe('the labels of places', () => {
  const original = floats([1, 2, 2, 2], [3, 0, 3, 0, 0, 3, 0, 3])
  const mask = (values: readonly number[]): RuntimeTensor => ({
    dataType: 'uint8',
    dims: [1, 2, 2],
    data: Uint8Array.from(values),
  })

  it('ignores the void of masks, and nothing else beyond the classes', () => {
    const found = judgeBatches('accuracy', [{ original, labels: mask([0, 1, 255, 0]) }])
    expect(found).toMatchObject({
      original: { correct: 2, total: 3 },
      details: { ignored_labels: 1 },
    })
    for (const labels of [mask([0, 1, 2, 0]), int64([1, 2, 2], [0, 1, 255, 0])]) {
      expect(() => judgeBatches('accuracy', [{ original, labels }])).toThrow(
        expect.objectContaining({ code: 'outputs_not_scores' }),
      )
    }
  })

  it.each([
    ['the last axis of sequences, also where both would do', [8, 3, 3], [8, 3], 1],
    ['the second axis of sequences where only that fits', [8, 5, 3], [8, 3], 3],
    ['the second axis of maps, also where both would do', [8, 4, 4, 4], [8, 4, 4], 16],
    ['the last axis of maps where only that fits', [8, 4, 4, 11], [8, 4, 4], 1],
    ['labels with a channel', [8, 11, 4, 4], [8, 1, 4, 4], 16],
    ['one label per sample', [8, 11], [8], 1],
    ['an output of a single sample without its axis', [6, 11], [1, 6], 1],
  ])('finds the classes in %s', (_, dims, labelDims, stride) => {
    expect(classAxis(dims, labelDims)?.stride).toBe(stride)
  })

  it.each([
    ['one class', [8, 4, 1], [8, 4]],
    ['other places', [8, 5, 11], [8, 4]],
    ['no axis of classes', [8, 4], [8, 4]],
  ])('finds no classes in %s', (_, dims, labelDims) => {
    expect(classAxis(dims, labelDims)).toBeNull()
  })

  it('says of shapes that do not fit what would', () => {
    const labels = int64([1, 3], [0, 1, 0])
    expect(() => judgeBatches('cross_entropy', [{ original, labels }])).toThrow(
      /one axis of classes/,
    )
  })

  it('gives beside accuracy what the labels allow', () => {
    const of = (metric: 'accuracy' | 'fidelity', one: TestBatch) =>
      Object.keys(countMetrics(metric, batchOf(one))).toSorted()
    const map = { original, labels: mask([0, 1, 1, 0]) }
    expect(of('accuracy', map)).toEqual(['accuracy', 'cross_entropy', 'miou'])
    expect(of('fidelity', map)).toEqual(['accuracy', 'fidelity'])
    expect(of('fidelity', { original, labels: mask([0, 1, 9, 0]) })).toEqual(['fidelity'])
  })
})
