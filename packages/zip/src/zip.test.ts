import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { readLater, readNow } from './reading.js'
import { zipEntries } from './zip-entries.js'
import { ZipFault } from './zip-fault.js'
import { zipRecords } from './zip-records.js'

/** Two stored entries of 3 bytes, `a` and `b`, then the directory. */
function archive(): Uint8Array {
  const bytes = new Uint8Array(2 * 34 + 2 * 47 + 22)
  const view = new DataView(bytes.buffer)
  const directory = 68
  for (const [index, name] of ['a', 'b'].entries()) {
    const [local, record] = [34 * index, directory + 47 * index]
    view.setUint32(local, 0x04034b50, true)
    view.setUint16(local + 26, 1, true)
    bytes.set([name.charCodeAt(0), 1, 2, 3], local + 30)
    view.setUint32(record, 0x02014b50, true)
    view.setUint32(record + 20, 3, true)
    view.setUint32(record + 24, 3, true)
    view.setUint16(record + 28, 1, true)
    view.setUint32(record + 42, local, true)
    bytes[record + 46] = name.charCodeAt(0)
  }
  const end = directory + 94
  view.setUint32(end, 0x06054b50, true)
  view.setUint16(end + 8, 2, true)
  view.setUint16(end + 10, 2, true)
  view.setUint32(end + 12, 94, true)
  view.setUint32(end + 16, directory, true)
  return bytes
}

const limits = { maxEntries: 10, allowsZip64: true }

function list(bytes: Uint8Array) {
  const read = (offset: number, length: number) => {
    if (offset < 0 || offset + length > bytes.length) throw new Error('read out of range')
    return bytes.slice(offset, offset + length)
  }
  const { records, offset } = readNow(zipRecords(bytes.length, limits), read)
  return readNow(zipEntries(records, offset), read)
}

describe('the directory of an archive', () => {
  it('lists its entries and where their bytes begin', async () => {
    const bytes = archive()
    const places = list(bytes).map(({ name, dataOffset }) => ({ name, dataOffset }))
    expect(places).toEqual([
      { name: 'a', dataOffset: 31 },
      { name: 'b', dataOffset: 65 },
    ])
    const later = (offset: number, length: number) =>
      Promise.resolve(bytes.slice(offset, offset + length))
    const { records, offset } = await readLater(zipRecords(bytes.length, limits), later)
    expect(await readLater(zipEntries(records, offset), later)).toEqual(list(bytes))
  })

  it('is refused, whatever was done to it, or lists entries apart and inside the archive', () => {
    const size = archive().length
    const edit = fc.tuple(fc.nat(size - 1), fc.integer({ min: 0, max: 255 }))
    const edits = fc.array(edit, { maxLength: 6 })
    fc.assert(
      fc.property(edits, fc.oneof(fc.constant(size), fc.nat(size)), (changes, length) => {
        const bytes = archive()
        for (const [at, value] of changes) bytes[at] = value
        try {
          const ends = list(bytes.subarray(0, length))
            .toSorted((a, b) => a.dataOffset - b.dataOffset)
            .map(({ dataOffset, compressedBytes }) => [dataOffset, dataOffset + compressedBytes])
          let last = 0
          for (const [start = 0, end = 0] of ends) {
            expect(start).toBeGreaterThanOrEqual(last)
            expect(end).toBeLessThanOrEqual(length)
            last = end
          }
        } catch (thrown) {
          if (!(thrown instanceof ZipFault)) throw thrown
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('refuses the same bytes given out under two names', () => {
    const bytes = archive()
    new DataView(bytes.buffer).setUint32(68 + 47 + 42, 0, true)
    expect(() => list(bytes)).toThrow(expect.objectContaining({ kind: 'entry_refused' }))
  })
})
