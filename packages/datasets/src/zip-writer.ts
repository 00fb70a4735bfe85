// Writes an archive of stored entries whose bytes start at multiples of 64, so that every array can
// be read in place. The same entries give the same bytes: no clock, no host facts.
import { crc32 } from 'node:zlib'

import type { ByteSink } from './random-access.js'

export interface StoredEntry {
  readonly name: string
  readonly sizeBytes: number
  readonly content: AsyncIterable<Uint8Array>
}

const ALIGNMENT = 64
const PADDING_EXTRA_ID = 0xd935 // as zipalign writes it
const EXTRA_HEADER_BYTES = 4
const UTF8_AND_DESCRIPTOR_FLAGS = 0x0808
const DOS_EPOCH_DATE = 0x0021 // 1980-01-01, the earliest that the format can say

/** Writes the entries one after another. Sizes stay below 4 GiB: the reader's limits see to it. */
export async function writeStoredZip(
  entries: AsyncIterable<StoredEntry> | Iterable<StoredEntry>,
  sink: ByteSink,
): Promise<{ readonly sizeBytes: number }> {
  const directory: Uint8Array[] = []
  let offset = 0
  const write = async (bytes: Uint8Array) => {
    await sink.write(bytes)
    offset += bytes.byteLength
  }
  for await (const entry of entries) {
    const name = new TextEncoder().encode(entry.name)
    const localOffset = offset
    await write(localHeader(name, offset))
    let checksum = 0
    for await (const piece of entry.content) {
      checksum = crc32(piece, checksum)
      await write(piece)
    }
    const facts = { name, checksum, sizeBytes: entry.sizeBytes, localOffset }
    await write(descriptor(facts))
    directory.push(directoryRecord(facts))
  }
  const directoryOffset = offset
  for (const record of directory) await write(record)
  await write(endRecord(directory.length, directoryOffset, offset - directoryOffset))
  return { sizeBytes: offset }
}

interface EntryFacts {
  readonly name: Uint8Array
  readonly checksum: number
  readonly sizeBytes: number
  readonly localOffset: number
}

function localHeader(name: Uint8Array, offset: number): Uint8Array {
  const unpadded = offset + 30 + name.byteLength + EXTRA_HEADER_BYTES
  const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT
  return record(30 + name.byteLength + EXTRA_HEADER_BYTES + padding, (view, bytes) => {
    view.setUint32(0, 0x04034b50, true)
    view.setUint16(4, 20, true)
    view.setUint16(6, UTF8_AND_DESCRIPTOR_FLAGS, true)
    view.setUint16(12, DOS_EPOCH_DATE, true)
    view.setUint16(26, name.byteLength, true)
    view.setUint16(28, EXTRA_HEADER_BYTES + padding, true)
    bytes.set(name, 30)
    view.setUint16(30 + name.byteLength, PADDING_EXTRA_ID, true)
    view.setUint16(32 + name.byteLength, padding, true)
  })
}

function descriptor({ checksum, sizeBytes }: EntryFacts): Uint8Array {
  return record(16, (view) => {
    view.setUint32(0, 0x08074b50, true)
    view.setUint32(4, checksum, true)
    view.setUint32(8, sizeBytes, true)
    view.setUint32(12, sizeBytes, true)
  })
}

function directoryRecord({ name, checksum, sizeBytes, localOffset }: EntryFacts): Uint8Array {
  return record(46 + name.byteLength, (view, bytes) => {
    view.setUint32(0, 0x02014b50, true)
    view.setUint16(4, 20, true)
    view.setUint16(6, 20, true)
    view.setUint16(8, UTF8_AND_DESCRIPTOR_FLAGS, true)
    view.setUint16(14, DOS_EPOCH_DATE, true)
    view.setUint32(16, checksum, true)
    view.setUint32(20, sizeBytes, true)
    view.setUint32(24, sizeBytes, true)
    view.setUint16(28, name.byteLength, true)
    view.setUint32(42, localOffset, true)
    bytes.set(name, 46)
  })
}

function endRecord(entries: number, offset: number, sizeBytes: number): Uint8Array {
  return record(22, (view) => {
    view.setUint32(0, 0x06054b50, true)
    view.setUint16(8, entries, true)
    view.setUint16(10, entries, true)
    view.setUint32(12, sizeBytes, true)
    view.setUint32(16, offset, true)
  })
}

function record(sizeBytes: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  fill(new DataView(bytes.buffer), bytes)
  return bytes
}
