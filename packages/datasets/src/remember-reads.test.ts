import { describe, expect, it } from 'vitest'

import { bytesAccess } from './random-access.js'
import { rememberReads } from './remember-reads.js'

function counted(bytes: Uint8Array) {
  const reads: [number, number][] = []
  const source = {
    ...bytesAccess(bytes),
    read: (offset: number, length: number) => {
      reads.push([offset, length])
      return bytesAccess(bytes).read(offset, length)
    },
  }
  return { source, reads }
}

const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i)

describe('rememberReads', () => {
  it('asks each source only for what no other has been asked for', async () => {
    const { source, reads } = counted(BYTES)
    const remember = rememberReads(100)
    for (const access of [remember(source), remember(source)]) {
      expect(access.sizeBytes).toBe(100)
      expect(await access.read(10, 3)).toEqual(Uint8Array.of(10, 11, 12))
      expect(await access.read(10, 2)).toEqual(Uint8Array.of(10, 11))
    }
    expect(reads).toEqual([
      [10, 3],
      [10, 2],
    ])
  })

  it('keeps no more than it may, and reads the rest each time', async () => {
    const { source, reads } = counted(BYTES)
    const access = rememberReads(50)(source)
    for (let round = 0; round < 2; round++) {
      for (const offset of [0, 40, 80]) {
        const bytes = await access.read(offset, 20)
        expect(bytes).toEqual(BYTES.slice(offset, offset + 20))
      }
    }
    expect(reads.map(([offset]) => offset)).toEqual([0, 40, 80, 80])
  })

  it('passes on that a source is too short, and remembers nothing of it', async () => {
    const { source, reads } = counted(BYTES)
    const access = rememberReads(1000)(source)
    await expect(access.read(90, 20)).rejects.toMatchObject({ code: 'dataset_truncated' })
    await expect(access.read(90, 20)).rejects.toMatchObject({ code: 'dataset_truncated' })
    expect(reads).toHaveLength(2)
  })

  it('keeps a read once that was asked for twice at the same time', async () => {
    const { source, reads } = counted(BYTES)
    const access = rememberReads(30)(source)
    const [first, second] = await Promise.all([access.read(0, 20), access.read(0, 20)])
    expect(first).toEqual(second)
    await access.read(50, 10)
    await access.read(50, 10)
    expect(reads.map(([offset]) => offset)).toEqual([0, 0, 50])
  })
})
