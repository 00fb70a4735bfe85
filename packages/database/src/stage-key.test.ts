import fc from 'fast-check'
import { expect, test } from 'vitest'

import { canonicalJson } from './canonical-json.js'
import { newId } from './ids.js'
import { stageKey, type StageKeyParts } from './stage-key.js'

const parts: StageKeyParts = {
  kind: 'calibrate',
  inputs: { model: 'a'.repeat(64), calibration: 'b'.repeat(64) },
  params: { samples: 500, method: 'minmax' },
  engineVersion: '1',
  seed: 0,
  device: 'cpu',
}

test('canonical JSON does not depend on the order of members, and reads back', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'é' }], a: undefined, B: 1e21 })).toBe(
    '{"B":1e+21,"b":[1,{"c":"é","d":null}]}',
  )
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value)
      expect(canonicalJson(JSON.parse(text))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (members) => {
      const reversed = Object.fromEntries(Object.entries(members).reverse())
      expect(canonicalJson(reversed)).toBe(canonicalJson(members))
    }),
  )
})

test('what JSON cannot hold is refused', () => {
  expect(() => canonicalJson({ a: Number.NaN })).toThrow('NaN has no JSON form')
  expect(() => canonicalJson([1n])).toThrow('a bigint has no JSON form')
})

test('a key changes with each of its parts and with nothing else', () => {
  const key = stageKey(parts)
  expect(key).toMatch(/^[0-9a-f]{64}$/)
  const reordered = { ...parts, params: { method: 'minmax', samples: 500 } }
  expect(stageKey(reordered)).toBe(key)
  const others = [
    { ...parts, kind: 'prepare' },
    { ...parts, inputs: { ...parts.inputs, model: 'c'.repeat(64) } },
    { ...parts, inputs: { model: parts.inputs['calibration']!, calibration: 'a'.repeat(64) } },
    { ...parts, params: { ...parts.params, samples: 501 } },
    { ...parts, engineVersion: '2' },
    { ...parts, seed: 1 },
    { ...parts, device: 'cuda' as const },
  ]
  expect(new Set([key, ...others.map(stageKey)]).size).toBe(others.length + 1)
})

test('ids are typed, sort by time and do not repeat', () => {
  expect(newId('job')).toMatch(/^job_[0-9a-hjkmnp-tv-z]{26}$/)
  expect(newId('model', 1000) < newId('model', 1001)).toBe(true)
  expect(newId('model', 2 ** 48 - 1).startsWith('mdl_7zzzzzzzzz')).toBe(true)
  expect(new Set(Array.from({ length: 10_000 }, () => newId('job'))).size).toBe(10_000)
})
