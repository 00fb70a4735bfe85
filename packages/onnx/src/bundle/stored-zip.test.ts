import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { bytesSource } from '../scan/byte-source.js'
import { DEFAULT_BUNDLE_LIMITS } from './limits.js'
import { type StoredEntry, writeStoredZip } from './stored-zip.js'
import { readZipDirectory } from './zip-directory.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pare-stored-zip-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

const entry = (name: string, length: number, more: Partial<StoredEntry> = {}): StoredEntry => {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + name.length) % 251)
  const half = length >> 1
  return { name, bytes: length, pieces: [bytes.subarray(0, half), bytes.subarray(half)], ...more }
}

function archive(entries: readonly StoredEntry[], zip64From?: number): Buffer {
  const path = join(root, 'archive')
  const file = openSync(path, 'w+')
  const size = writeStoredZip(file, entries, zip64From === undefined ? {} : { zip64From })
  closeSync(file)
  const bytes = readFileSync(path)
  expect(bytes.length).toBe(size)
  return bytes
}

const list = (bytes: Uint8Array) => readZipDirectory(bytesSource(bytes), DEFAULT_BUNDLE_LIMITS)

/** A number of a zip64 archive changed: 8 bytes little-endian at `at`, counted from the end if negative. */
function changed(bytes: Buffer, at: number, value: bigint): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeBigUInt64LE(value, at < 0 ? copy.length + at : at)
  return copy
}

describe('an archive of stored entries', () => {
  // 0: every number that may be one of zip64 is; 300: sizes are not, places are.
  it.each([undefined, 0, 300])('is read back (zip64 from %s)', (zip64From) => {
    const entries = [entry('model.onnx', 200), entry('weights.bin', 5000, { alignment: 4096 })]
    const bytes = archive(entries, zip64From)
    for (const [index, { name, inflatedBytes, dataOffset }] of list(bytes).entries()) {
      const wanted = entries[index]!
      expect([name, inflatedBytes]).toEqual([wanted.name, wanted.bytes])
      expect(dataOffset % (wanted.alignment ?? 1)).toBe(0)
      const there = bytes.subarray(dataOffset, dataOffset + inflatedBytes)
      expect(there).toEqual(Buffer.concat([...wanted.pieces]))
    }
    expect(list(bytes)).toHaveLength(2)
  })

  it('is aligned whatever stands before the data', () => {
    for (let length = 0; length < 80; length++) {
      const bytes = archive([entry('a', length), entry('b', 10, { alignment: 64 })])
      expect(list(bytes)[1]!.dataOffset % 64).toBe(0)
    }
  })

  it('has the bytes that were announced, or is not written', () => {
    expect(() => archive([entry('a', 10, { bytes: 11 })])).toThrow('10 bytes, not 11')
  })

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['whose record of sizes is elsewhere', (bytes) => changed(bytes, -22 - 12, 1n << 40n)],
    [
      'whose locator points into itself',
      (bytes) => changed(bytes, -22 - 12, BigInt(bytes.length - 40)),
    ],
    [
      'with more entries than it has',
      (bytes) => changed(changed(bytes, -22 - 76 + 24, 9n), -22 - 76 + 32, 9n),
    ],
    ['that counts its entries twice', (bytes) => changed(bytes, -22 - 76 + 24, 1n)],
    ['with a directory beyond its end', (bytes) => changed(bytes, -22 - 76 + 48, 1n << 50n)],
    ['with a number beyond 2^53', (bytes) => changed(bytes, -22 - 76 + 40, 1n << 60n)],
    ['whose record was overwritten', (bytes) => changed(bytes, -22 - 76, 0n)],
    [
      'without its record',
      (bytes) => Buffer.concat([bytes.subarray(0, -22 - 20), bytes.subarray(-22)]),
    ],
    ['cut off within its record', (bytes) => bytes.subarray(-22 - 20)],
  ])('of zip64 %s is refused', (_what, damage) => {
    const bytes = archive([entry('model.onnx', 200), entry('weights.bin', 300)], 0)
    expect(list(bytes)).toHaveLength(2)
    expect(() => list(damage(bytes))).toThrow(
      expect.objectContaining({ code: 'bundle_archive_invalid' }),
    )
  })

  it('of zip64 that leaves out a size it points to is refused', () => {
    const bytes = Buffer.from(archive([entry('model.onnx', 200)], 0))
    const directory = bytes.indexOf(Buffer.from([0x50, 0x4b, 1, 2]))
    // The extra field says that it is another one.
    bytes.writeUInt16LE(0x7777, directory + 46 + 'model.onnx'.length)
    expect(() => list(bytes)).toThrow(expect.objectContaining({ code: 'bundle_archive_invalid' }))
  })

  it('may not claim more than is accepted, in numbers of 64 bits either', () => {
    const bytes = Buffer.from(archive([entry('model.onnx', 200)], 0))
    const field = bytes.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 46 + 'model.onnx'.length + 4
    bytes.writeBigUInt64LE(1n << 45n, field)
    bytes.writeBigUInt64LE(1n << 45n, field + 8)
    expect(() => list(bytes)).toThrow(expect.objectContaining({ code: 'bundle_entry_refused' }))
  })
})
