import { gzipSync } from 'node:zlib'

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
