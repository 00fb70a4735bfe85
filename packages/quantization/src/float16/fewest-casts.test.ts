import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { type CastableValue, chooseWidths, type TypeGroup, type Width } from './fewest-casts.js'

const group = (pinned?: Width): TypeGroup => ({
  width: 'wide',
  ...(pinned === undefined ? {} : { pinned }),
})

const value = (origin: TypeGroup, readers: readonly TypeGroup[], cost = 1): CastableValue => ({
  origin,
  readers: new Set(readers),
  cost,
})

function cost(values: readonly CastableValue[]): number {
  return values.reduce(
    (sum, { origin, readers, cost }) =>
      [...readers].some((reader) => reader.width !== origin.width) ? sum + cost : sum,
    0,
  )
}

/** Every choice for the groups that have one. */
function leastCost(groups: readonly TypeGroup[], values: readonly CastableValue[]): number {
  const free = groups.filter(({ pinned }) => pinned === undefined)
  let least = Infinity
  for (let choice = 0; choice < 2 ** free.length; choice++) {
    free.forEach((one, i) => (one.width = (choice >> i) % 2 === 0 ? 'wide' : 'narrow'))
    least = Math.min(least, cost(values))
  }
  return least
}

describe('the fewest Casts', () => {
  it('leaves a node between float32 nodes float32', () => {
    const [before, between, after] = [group('wide'), group(), group('wide')]
    chooseWidths([before, between, after], [value(before, [between]), value(between, [after])])
    expect(between.width).toBe('wide')
  })

  it('prefers narrow where the number of Casts is the same', () => {
    const [before, between, after] = [group('narrow'), group(), group('wide')]
    chooseWidths([before, between, after], [value(before, [between]), value(between, [after])])
    expect(between.width).toBe('narrow')
  })

  it('counts one Cast for all readers of a value', () => {
    const [origin, reader, pinned] = [group(), group('wide'), group('narrow')]
    const others = [group('wide'), group('wide')]
    const groups = [origin, reader, pinned, ...others]
    chooseWidths(groups, [value(pinned, [origin]), value(origin, [reader, ...others])])
    expect(origin.width).toBe('narrow')
  })

  it('casts outside a loop rather than inside', () => {
    const [outer, border, inner] = [group('wide'), group(), group('narrow')]
    chooseWidths([outer, border, inner], [value(outer, [border]), value(border, [inner], 8)])
    expect(border.width).toBe('narrow')
  })

  it('is never beaten by another choice', () => {
    const pins = fc.array(fc.constantFrom(undefined, undefined, 'wide', 'narrow'), {
      minLength: 2,
      maxLength: 9,
    })
    const edges = fc.array(
      fc.tuple(
        fc.nat(),
        fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
      ),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(pins, edges, (pins, edges) => {
        const groups = pins.map((pinned) => group(pinned))
        const at = (i: number) => groups[i % groups.length]!
        for (const one of groups) one.width = one.pinned ?? 'wide'
        const values = edges.map(([origin, readers, cost]) =>
          value(at(origin), readers.map(at), cost),
        )
        const least = leastCost(groups, values)
        chooseWidths(groups, values)
        expect(cost(values)).toBe(least)
        expect(groups.every(({ pinned, width }) => pinned === undefined || pinned === width)).toBe(
          true,
        )
      }),
      { numRuns: 300, seed: 1 },
    )
  })
})
