import { expect, it } from 'vitest'

import { toStorableJson } from './storable-json.js'

it('replaces what PostgreSQL cannot keep, in keys and values at any depth', () => {
  const value = { 'a\0b': ['x\ud800y', { c: '\udc00' }], pair: '\u{1f600}', n: 1, none: null }
  expect(toStorableJson(value)).toEqual({
    'a\u{fffd}b': ['x\u{fffd}y', { c: '\u{fffd}' }],
    pair: '\u{1f600}',
    n: 1,
    none: null,
  })
})
