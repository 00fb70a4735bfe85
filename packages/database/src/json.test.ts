import { afterAll, beforeAll, expect, test } from 'vitest'

import { toJson } from './json.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

async function store(value: unknown): Promise<unknown> {
  const { rows } = await db.pool.query<{ value: unknown }>('SELECT $1::jsonb AS value', [
    toJson(value),
  ])
  return rows[0]?.value
}

test('what JSON can say comes back from the database as it was', async () => {
  const value = {
    list: [1, 'two', null, [true]],
    'quotes " and \\ back': '\n\t\u0001\\u0000 \\ud800 \\',
    pair: '😀 \u{10ffff}',
    word: 'u0000 ud800',
  }
  expect(await store(value)).toEqual(value)
  expect(await store(['an array', {}])).toEqual(['an array', {}])
  expect(await store(null)).toBeNull()
})

test('what the database cannot hold is replaced, in names as in values', async () => {
  expect(await store({ 'a\0': ['b\0c', '\ud800', 'x\udfff', '\\\0'] })).toEqual({
    'a\ufffd': ['b\ufffdc', '\ufffd', 'x\ufffd', '\\\ufffd'],
  })
})
