// Builds .npy and .npz bytes for tests, sound or broken on purpose.
import { crc32, deflateRawSync } from 'node:zlib'

import { type Feeds, toBatches } from './batch.js'
import { formatNpyHeader, type NpyDataType } from './npy.js'
import type { SampleSource } from './sample-source.js'

export interface TestArray {
  readonly dataType: NpyDataType
  readonly dims: readonly number[]
  readonly data: ArrayBufferView
}

export function npy({ dataType, dims, data }: TestArray): Uint8Array {
  const elements = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return joinBytes([formatNpyHeader(dataType, dims), elements])
}

export function float32Array(dims: readonly number[], values: ArrayLike<number>): TestArray {
  return { dataType: 'float32', dims, data: Float32Array.from(values) }
}

export function int64Array(dims: readonly number[], values: readonly number[]): TestArray {
  return { dataType: 'int64', dims, data: BigInt64Array.from(values, BigInt) }
}

export function npz(
  arrays: Readonly<Record<string, TestArray>>,
  options: { readonly compressed?: boolean } = {},
): Uint8Array {
  const compressed = options.compressed ?? false
  const entries = Object.entries(arrays).map(([name, array]) => ({
    name: `${name}.npy`,
    content: npy(array),
    compressed,
  }))
  return zip(entries)
}

export interface TestEntry {
  readonly name: string
  readonly content: Uint8Array
  readonly compressed?: boolean
  /** Fields to lie about. */
  readonly claims?: {
    readonly method?: number
    readonly flags?: number
    readonly crc32?: number
    readonly inflatedBytes?: number
    readonly compressedBytes?: number
    readonly localOffset?: number
    /** st_mode, as a Unix archiver writes it. */
    readonly unixMode?: number
  }
}

/** An archive with the entries as given, truthful unless a claim says otherwise. */
export function zip(
  entries: readonly TestEntry[],
  comment: Uint8Array = new Uint8Array(),
): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const entry of entries) {
    const { local, record } = encodeEntry(entry, offset)
    parts.push(local)
    directory.push(record)
    offset += local.byteLength
  }
  const records = joinBytes(directory)
  const end = bytesOf(22, (view) => {
    view.setUint32(0, 0x06054b50, true)
    view.setUint16(8, entries.length, true)
    view.setUint16(10, entries.length, true)
    view.setUint32(12, records.byteLength, true)
    view.setUint32(16, offset, true)
    view.setUint16(20, comment.byteLength, true)
  })
  return joinBytes([...parts, records, end, comment])
}

function encodeEntry(entry: TestEntry, offset: number) {
  const { content, claims = {} } = entry
  const body = entry.compressed ? deflateRawSync(content) : content
  const name = Buffer.from(entry.name)
  const facts = (view: DataView, at: number) => {
    view.setUint16(at, claims.flags ?? 0x800, true)
    view.setUint16(at + 2, claims.method ?? (entry.compressed ? 8 : 0), true)
    view.setUint32(at + 8, claims.crc32 ?? crc32(content), true)
    view.setUint32(at + 12, claims.compressedBytes ?? body.byteLength, true)
    view.setUint32(at + 16, claims.inflatedBytes ?? content.byteLength, true)
    view.setUint16(at + 20, name.byteLength, true)
  }
  const local = bytesOf(30, (view) => {
    view.setUint32(0, 0x04034b50, true)
    facts(view, 6)
  })
  const record = bytesOf(46, (view) => {
    view.setUint32(0, 0x02014b50, true)
    view.setUint8(5, 3)
    facts(view, 8)
    view.setUint32(38, (claims.unixMode ?? 0o100644) * 0x10000, true)
    view.setUint32(42, claims.localOffset ?? offset, true)
  })
  return { local: joinBytes([local, name, body]), record: joinBytes([record, name]) }
}

function bytesOf(sizeBytes: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  fill(new DataView(bytes.buffer))
  return bytes
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** A source of batches that are at hand, which stay as they are: a part is of whole batches. */
export function sourceOfBatches(feeds: readonly Feeds[]): SampleSource {
  const batches = toBatches(feeds)
  return {
    samples: batches.reduce((sum, { count }) => sum + count, 0),
    async *batches({ from = 0, samples = Infinity } = {}) {
      yield* batches.filter(({ offset }) => offset >= from && offset < from + samples)
      await Promise.resolve()
    },
  }
}
