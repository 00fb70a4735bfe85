import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { mergeStatistics } from './merge-statistics.js'
import { observerOf, OBSERVERS } from './observers.js'
import { parseStatistics } from './parse-statistics.js'
import {
  type CalibrationStatistics,
  type StatesByKind,
  STATISTICS_VERSION,
  type StatisticsKind,
} from './statistics.js'

/** Float32 values of very different sizes, with what must be left out. */
const values = fc.array(
  fc.oneof(
    fc.float({ noNaN: false }),
    fc.float({ min: -4, max: 4, noNaN: true }),
    fc.constantFrom(0, -0, 1e-30, 127, -128, 3e38),
  ),
  { maxLength: 40 },
)

const batch = values.map((list) => Float32Array.from(list))

function observe<Kind extends StatisticsKind>(
  kind: Kind,
  batches: readonly Float32Array[],
): StatesByKind[Kind] {
  const observer = observerOf(kind)
  if (observer.looksAt === 'values') {
    const collector = observer.collect()
    for (const data of batches) collector.add(data)
    return collector.state()
  }
  return batches.reduce(
    (state, data) =>
      observer.observeValues(state, { dataType: 'float32', dims: [data.length], data }),
    observer.empty,
  )
}

const kinds = Object.keys(OBSERVERS) as StatisticsKind[]

describe('observers', () => {
  it.each(kinds)('%s merges by the law', (kind) => {
    const { merge, empty, ordered } = observerOf(kind)
    fc.assert(
      fc.property(batch, batch, batch, (...batches) => {
        const [a, b, c] = batches.map((one) => observe(kind, [one])) as [
          StatesByKind[StatisticsKind],
          StatesByKind[StatisticsKind],
          StatesByKind[StatisticsKind],
        ]
        const whole = observe(kind, batches)
        expect(merge(merge(a, b), c)).toEqual(whole)
        expect(merge(a, merge(b, c))).toEqual(whole)
        if (!ordered) expect(merge(b, merge(c, a))).toEqual(whole)
        expect(merge(a, empty)).toEqual(a)
        expect(merge(empty, a)).toEqual(a)
      }),
      { numRuns: 40 },
    )
  })

  it.each(kinds)('%s survives JSON and the parser exactly', (kind) => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 3 }), (batches) => {
        const written = {
          version: STATISTICS_VERSION,
          kind,
          samples: batches.length,
          tensors: { a: { rank: 1, state: observe(kind, batches) } },
        }
        expect(parseStatistics(JSON.parse(JSON.stringify(written)))).toEqual(written)
      }),
      { numRuns: 40 },
    )
  })

  it('keeps no negative zero, which JSON would lose', () => {
    const state = OBSERVERS.minmax.merge(
      { range: { min: -0, max: -0 }, nonFinite: 0 },
      OBSERVERS.minmax.empty,
    )
    const merged = OBSERVERS.minmax.merge(state, { range: { min: -0, max: -0 }, nonFinite: 0 })
    expect(Object.is(merged.range?.min, 0)).toBe(true)
  })
})

function statistics(
  tensors: CalibrationStatistics<'minmax'>['tensors'],
  samples = 1,
): CalibrationStatistics<'minmax'> {
  return { version: STATISTICS_VERSION, kind: 'minmax', samples, tensors }
}

const tensor = { rank: 2, state: { range: { min: -1, max: 2 }, nonFinite: 0 } }

describe('mergeStatistics', () => {
  it('adds the samples', () => {
    expect(
      mergeStatistics(statistics({ a: tensor }, 3), statistics({ a: tensor }, 4)).samples,
    ).toBe(7)
  })

  it('refuses statistics of different tensors', () => {
    expect(() => mergeStatistics(statistics({ a: tensor }), statistics({ b: tensor }))).toThrow(
      expect.objectContaining({ code: 'calibration_statistics_mismatch' }) as Error,
    )
  })
})

const range = { min: 0, max: 1 }

function withState(kind: StatisticsKind, state: object): unknown {
  return {
    version: STATISTICS_VERSION,
    kind,
    samples: 1,
    tensors: { a: { rank: 1, state: { nonFinite: 0, ...state } } },
  }
}

function encode(...bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('base64')
}

describe('parseStatistics', () => {
  const valid = statistics({ a: tensor })
  it.each([
    ['null', null],
    ['another version', { ...valid, version: 2 }],
    ['another kind', { ...valid, kind: 'median' }],
    ['no tensors', { ...valid, tensors: [] }],
    [
      'a range upside down',
      statistics({ a: { rank: 1, state: { range: { min: 2, max: 1 }, nonFinite: 0 } } }),
    ],
    [
      'a range that is not finite',
      {
        ...valid,
        tensors: { a: { rank: 1, state: { range: { min: null, max: 1 }, nonFinite: 0 } } },
      },
    ],
    ['a negative count', { ...valid, samples: -1 }],
    ['an end no float32 can hold', withState('minmax', { range: { min: 0, max: 1e300 } })],
    ['batches that are no ends', withState('moving_average', { range, batches: [[2, 1]] })],
    ['batches that are no list', withState('moving_average', { range, batches: 'none' })],
    ['counts that are no text', withState('histogram', { range, counts: [1] })],
    ['counts that are not base64', withState('histogram', { range, counts: 'äöü!' })],
    ['counts cut off', withState('histogram', { range, counts: encode(0) })],
    [
      'counts beyond the last bin',
      withState('histogram', { range, counts: encode(0xff, 0xff, 0x7f, 1) }),
    ],
    ['an empty bin', withState('histogram', { range, counts: encode(1, 0) })],
    [
      'a number written longer than needed',
      withState('histogram', { range, counts: encode(0x80, 0, 1) }),
    ],
    [
      'counts too great',
      withState('histogram', { range, counts: encode(0, ...Array<number>(9).fill(0xff), 1) }),
    ],
    ['counts without a range', withState('histogram', { counts: encode(0, 1) })],
  ])('refuses %s', (_, value) => {
    expect(() => parseStatistics(value)).toThrow(
      expect.objectContaining({ code: 'calibration_statistics_invalid' }) as Error,
    )
  })

  it('returns what it was given', () => {
    expect(parseStatistics(valid)).toEqual(valid)
  })
})
