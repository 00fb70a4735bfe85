import { gzipSync } from 'node:zlib'

import type { Model } from '@pare/graph'
import { createRandom } from '@pare/tensor'
import { expect, it } from 'vitest'

import { measureSize } from './size.js'

it('counts raw bytes and the bytes of gzip at level 6, over several pieces', async () => {
  const random = createRandom(1)
  const bytes = Uint8Array.from({ length: 3_000_000 }, () => Math.floor(random.uniform() * 8))
  expect(await measureSize(bytes)).toEqual({
    bytes: bytes.byteLength,
    gzip_bytes: gzipSync(bytes, { level: 6 }).byteLength,
  })
})

it('estimates the compressed size of what has too many pieces, from pieces all over it', async () => {
  const random = createRandom(2)
  const bytes = Uint8Array.from({ length: 4_500_000 }, () => Math.floor(random.uniform() * 8))
  const whole = await measureSize(bytes)
  const read = (start: number, end: number) => bytes.subarray(start, end)
  const stored = { model: {} as Model, session: bytes, bytes: bytes.byteLength, read }
  expect(await measureSize(stored)).toEqual(whole)
  const estimate = await measureSize(stored, { mostPieces: 2 })
  expect(estimate.bytes).toBe(whole.bytes)
  expect(estimate.gzip_bytes).not.toBe(whole.gzip_bytes)
  expect(Math.abs(estimate.gzip_bytes / whole.gzip_bytes - 1)).toBeLessThan(0.01)
})
