import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { mergeStatistics } from './merge-statistics.js'
import { OBSERVERS } from './observers.js'
import {
  type CalibrationStatistics,
  parseStatistics,
  type StatesByKind,
  STATISTICS_VERSION,
  type StatisticsKind,
} from './statistics.js'

const states: { readonly [Kind in StatisticsKind]: fc.Arbitrary<StatesByKind[Kind]> } = {
  minmax: fc
    .record({
      ends: fc.option(
        fc.tuple(
          fc.float({ noNaN: true, noDefaultInfinity: true }),
          fc.float({ noNaN: true, noDefaultInfinity: true }),
        ),
      ),
      nonFinite: fc.nat(5),
    })
    .map(({ ends, nonFinite }) =>
      ends === null
        ? { nonFinite }
        : { range: { min: Math.min(...ends) + 0, max: Math.max(...ends) + 0 }, nonFinite },
    ),
}

describe('observers', () => {
  it.each(Object.keys(OBSERVERS) as StatisticsKind[])('%s merges by the law', (kind) => {
    const { merge, empty } = OBSERVERS[kind]
    fc.assert(
      fc.property(states[kind], states[kind], states[kind], (a, b, c) => {
        expect(merge(a, b)).toEqual(merge(b, a))
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)))
        expect(merge(a, empty)).toEqual(a)
      }),
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

function statistics(tensors: CalibrationStatistics['tensors'], samples = 1): CalibrationStatistics {
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
  ])('refuses %s', (_, value) => {
    expect(() => parseStatistics(value)).toThrow(
      expect.objectContaining({ code: 'calibration_statistics_invalid' }) as Error,
    )
  })

  it('returns what it was given', () => {
    expect(parseStatistics(valid)).toEqual(valid)
  })
})
