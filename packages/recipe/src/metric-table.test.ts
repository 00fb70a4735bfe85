import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { dropOf, METRIC_TABLE, metricFacts, METRICS } from './metric-table.js'

describe('the metric table', () => {
  it('says of each metric what a person should know', () => {
    for (const metric of METRICS) {
      const { description, label } = METRIC_TABLE[metric]
      expect(description.length).toBeGreaterThan(15)
      expect(label).not.toBe('')
    }
  })

  it('finds no loss where nothing changed, and a loss where it became worse', () => {
    const positive = fc.double({ min: 0.01, max: 1, noNaN: true })
    fc.assert(
      fc.property(fc.constantFrom(...METRICS), positive, positive, (metric, a, b) => {
        expect(dropOf(metric, a, a)).toBe(0)
        const { better } = metricFacts(metric)
        const isWorse = better === 'higher' ? b < a : b > a
        expect((dropOf(metric, a, b) ?? NaN) > 0).toBe(isWorse)
      }),
    )
  })

  it('takes shares as differences and errors as growth', () => {
    expect(dropOf('accuracy', 0.75, 0.5)).toBe(0.25)
    expect(dropOf('perplexity', 4, 5)).toBe(0.25)
    expect(dropOf('mse', 0, 0)).toBe(0)
  })

  it('has no figure for errors that grew from zero, and for what is not finite', () => {
    expect(dropOf('mse', 0, 1)).toBeNull()
    expect(dropOf('cross_entropy', 1, Infinity)).toBeNull()
    expect(dropOf('accuracy', NaN, 1)).toBeNull()
  })
})
