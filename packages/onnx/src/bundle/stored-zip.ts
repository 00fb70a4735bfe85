/**
 * Writes a zip archive of stored (uncompressed) entries to an open file, piece by piece. Same entries,
 * same bytes: no times, no names of machines. Sizes from 4 GiB on are written as zip64, only there.
 * Layout: APPNOTE.TXT 6.3.
 */
import { writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

export interface StoredEntry {
  /** ASCII letters, digits, '.', '_', '-'. */
  readonly name: string
  readonly bytes: number
  readonly pieces: Iterable<Uint8Array>
  /** The data begins at a multiple of this, at most 32 KiB. Default 1. */
  readonly alignment?: number
}

const LOCAL_BYTES = 30
const CRC_OFFSET = 14
/** Stands where the number is in a field of 64 bits. */
const ELSEWHERE = 0xffff_ffff
const VERSION_PLAIN = 10
const VERSION_ZIP64 = 45
/** 1 January 1980, the first day that the format knows. */
const NO_DATE = 0x21
const ZIP64_FIELD = 0x0001
/** Extra field of padding, as Android's zipalign writes it. */
const ALIGNMENT_FIELD = 0xd935
const UNIX = 3
const READABLE_FILE = 0o100644

interface Written extends StoredEntry {
  readonly offset: number
  readonly crc32: number
}

export interface StoredZipOptions {
  /** Numbers from this on are written in 64 bits. Default: those that 32 bits cannot hold. */
  readonly zip64From?: number
}

/** Writes the whole archive from the start of the file, and returns its size. */
export function writeStoredZip(
  file: number,
  entries: readonly StoredEntry[],
  { zip64From = ELSEWHERE }: StoredZipOptions = {},
): number {
  const fit = (value: number) => (value < zip64From ? value : ELSEWHERE)
  const written: Written[] = []
  let at = 0
  for (const entry of entries) {
    const offset = at
    const header = localHeader(entry, { offset, fit })
    at = writeAt(file, header, at)
    const { end, sum } = writePieces(file, entry, at)
    at = end
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32LE(sum)
    writeAt(file, checksum, offset + CRC_OFFSET)
    written.push({ ...entry, offset, crc32: sum })
  }
  const directory = Buffer.concat(written.map((entry) => directoryRecord(entry, fit)))
  const end = { entries: written.length, offset: at, bytes: directory.length }
  return writeAt(file, Buffer.concat([directory, endOf(end, fit)]), at)
}

function writePieces(file: number, entry: StoredEntry, from: number) {
  let [end, sum] = [from, 0]
  for (const piece of entry.pieces) {
    end = writeAt(file, piece, end)
    sum = crc32(piece, sum)
  }
  if (end - from === entry.bytes) return { end, sum }
  throw new Error(`the entry ${entry.name} has ${end - from} bytes, not ${entry.bytes}`)
}

/** Writes all of the bytes and returns the position behind them. */
export function writeAt(file: number, bytes: Uint8Array, position: number): number {
  for (let done = 0; done < bytes.length;) {
    // One write of the system ends below 2 GiB.
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done)
  }
  return position + bytes.length
}

/** What stands in 32 bits for a number: itself, or that it is elsewhere. */
type Fit = (value: number) => number

function localHeader(
  entry: StoredEntry,
  { offset, fit }: { readonly offset: number; readonly fit: Fit },
): Buffer {
  const name = Buffer.from(entry.name, 'ascii')
  const size = fit(entry.bytes)
  const sizes = size === ELSEWHERE ? zip64Field([entry.bytes, entry.bytes]) : Buffer.alloc(0)
  const dataOffset = offset + LOCAL_BYTES + name.length + sizes.length
  const padding = paddingField(dataOffset, entry.alignment ?? 1)
  const header = Buffer.alloc(LOCAL_BYTES)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(sizes.length > 0 ? VERSION_ZIP64 : VERSION_PLAIN, 4)
  header.writeUInt16LE(NO_DATE, 12)
  header.writeUInt32LE(size, 18)
  header.writeUInt32LE(size, 22)
  header.writeUInt16LE(name.length, 26)
  header.writeUInt16LE(sizes.length + padding.length, 28)
  return Buffer.concat([header, name, sizes, padding])
}

function paddingField(dataOffset: number, alignment: number): Buffer {
  const header = 6
  const gap = (alignment - (dataOffset % alignment)) % alignment
  if (gap === 0) return Buffer.alloc(0)
  const field = Buffer.alloc(gap >= header ? gap : gap + Math.ceil(header / alignment) * alignment)
  field.writeUInt16LE(ALIGNMENT_FIELD, 0)
  field.writeUInt16LE(field.length - 4, 2)
  field.writeUInt16LE(alignment, 4)
  return field
}

function zip64Field(values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length)
  field.writeUInt16LE(ZIP64_FIELD, 0)
  field.writeUInt16LE(8 * values.length, 2)
  for (const [index, value] of values.entries()) {
    field.writeBigUInt64LE(BigInt(value), 4 + 8 * index)
  }
  return field
}

function directoryRecord({ name, bytes, offset, crc32: sum }: Written, fit: Fit): Buffer {
  const [size, place] = [fit(bytes), fit(offset)]
  const large = [
    ...(size === ELSEWHERE ? [bytes, bytes] : []),
    ...(place === ELSEWHERE ? [offset] : []),
  ]
  const extra = large.length > 0 ? zip64Field(large) : Buffer.alloc(0)
  const record = Buffer.alloc(46)
  record.writeUInt32LE(0x02014b50, 0)
  record.writeUInt8(VERSION_ZIP64, 4)
  record.writeUInt8(UNIX, 5)
  record.writeUInt16LE(large.length > 0 ? VERSION_ZIP64 : VERSION_PLAIN, 6)
  record.writeUInt16LE(NO_DATE, 14)
  record.writeUInt32LE(sum, 16)
  record.writeUInt32LE(size, 20)
  record.writeUInt32LE(size, 24)
  record.writeUInt16LE(name.length, 28)
  record.writeUInt16LE(extra.length, 30)
  record.writeUInt32LE((READABLE_FILE << 16) >>> 0, 38)
  record.writeUInt32LE(place, 42)
  return Buffer.concat([record, Buffer.from(name, 'ascii'), extra])
}

/** Of the directory: how many entries, where, how many bytes. */
interface Directory {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

function endOf(directory: Directory, fit: Fit): Buffer {
  const place = fit(directory.offset)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(directory.entries, 8)
  end.writeUInt16LE(directory.entries, 10)
  end.writeUInt32LE(directory.bytes, 12)
  end.writeUInt32LE(place, 16)
  return place === ELSEWHERE ? Buffer.concat([zip64End(directory), end]) : end
}

function zip64End({ entries, offset, bytes }: Directory): Buffer {
  const record = Buffer.alloc(76)
  record.writeUInt32LE(0x06064b50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeUInt16LE(VERSION_ZIP64, 12)
  record.writeUInt16LE(VERSION_ZIP64, 14)
  record.writeBigUInt64LE(BigInt(entries), 24)
  record.writeBigUInt64LE(BigInt(entries), 32)
  record.writeBigUInt64LE(BigInt(bytes), 40)
  record.writeBigUInt64LE(BigInt(offset), 48)
  // The locator: where the record before it begins.
  record.writeUInt32LE(0x07064b50, 56)
  record.writeBigUInt64LE(BigInt(offset + bytes), 64)
  record.writeUInt32LE(1, 72)
  return record
}
