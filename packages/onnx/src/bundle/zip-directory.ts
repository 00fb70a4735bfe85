/**
 * Lists the files of a model archive under rules for hostile archives:
 * 1. plain files and folders only, stored or deflated, not encrypted, one part;
 * 2. all files stand in one folder; their names are letters, digits, '.', '_', '-', differ by more
 *    than case, and name no archive; what macOS adds (`__MACOSX/`, `.DS_Store`) is left out;
 * 3. entries lie apart from each other, so that no byte is inflated twice.
 * Sizes claimed here are checked again while inflating. Layout: APPNOTE.TXT 6.3.
 */
import type { ByteSource } from '../scan/byte-source.js'
import { scanErrors } from '../scan/errors.js'
import { isMemberName } from '../scan/external-data.js'
import { printable } from '../scan/place.js'
import { WireReader } from '../scan/wire-reader.js'
import type { BundleLimits } from './limits.js'

export interface ZipEntry {
  /** Without folders. */
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly dataOffset: number
  readonly compressedBytes: number
  readonly inflatedBytes: number
}

const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const LOCAL_SIGNATURE = 0x04034b50
const ZIP64_END_SIGNATURE = 0x06064b50
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50
const END_BYTES = 22
const ENTRY_BYTES = 46
const LOCAL_BYTES = 30
const ZIP64_END_BYTES = 56
const ZIP64_LOCATOR_BYTES = 20
const ZIP64_FIELD = 0x0001
/** Stands where the number is in the zip64 record or field. */
const ELSEWHERE = 0xffff_ffff
const MAX_COMMENT_BYTES = 0xffff
/** Room for many thousand entries with long names; it is read in one piece. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20
const ENCRYPTED_FLAGS = 0x2041
const UNIX = 3
const REGULAR_FILE = 0x8
const DIRECTORY = 0x4
const ARCHIVE_NAME = /\.(zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar|pt|pth|npz)$/i

export function readZipDirectory(source: ByteSource, limits: BundleLimits): readonly ZipEntry[] {
  const end = findEnd(source)
  if (end.entries > limits.maxEntries) {
    const reason = `the archive has ${end.entries} entries, the limit is ${limits.maxEntries}`
    throw scanErrors.bundle_too_large(reason)
  }
  const records = readRecords(source, end).filter((record) => !isAside(record.path))
  checkNames(records)
  const entries = records.map((record) => locate(source, record, end.offset))
  checkApart(entries)
  const claimed = entries.reduce((total, { inflatedBytes }) => total + inflatedBytes, 0)
  if (claimed > limits.maxInflatedBytes) {
    const reason = `the files have ${claimed} bytes, the limit is ${limits.maxInflatedBytes}`
    throw scanErrors.bundle_too_large(reason)
  }
  return entries
}

interface DirectoryEnd {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

function findEnd(source: ByteSource): DirectoryEnd {
  const tailBytes = Math.min(source.size, END_BYTES + MAX_COMMENT_BYTES)
  const tail = read(source, source.size - tailBytes, tailBytes)
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END_SIGNATURE) continue
    if (at + END_BYTES + tail.getUint16(at + 20, true) !== tailBytes) continue
    const entries = tail.getUint16(at + 10, true)
    const bytes = tail.getUint32(at + 12, true)
    const offset = tail.getUint32(at + 16, true)
    if (entries === 0xffff || offset === ELSEWHERE || bytes === ELSEWHERE) {
      return findZip64End(source, source.size - tailBytes + at)
    }
    if (tail.getUint32(at + 4, true) !== 0 || tail.getUint16(at + 8, true) !== entries) {
      throw invalid('it is one part of a split archive')
    }
    if (offset + bytes > source.size) throw invalid('it is cut off')
    if (bytes > MAX_DIRECTORY_BYTES) throw invalid('its directory is too long')
    return { entries, bytes, offset }
  }
  throw invalid('it has no directory at its end: it was cut off')
}

/** The end of an archive beyond 4 GiB or 65,535 entries; `end` is where its plain end begins. */
function findZip64End(source: ByteSource, end: number): DirectoryEnd {
  const locatorOffset = end - ZIP64_LOCATOR_BYTES
  if (locatorOffset < ZIP64_END_BYTES) throw invalid('its zip64 record is missing')
  const locator = read(source, locatorOffset, ZIP64_LOCATOR_BYTES)
  if (locator.getUint32(0, true) !== ZIP64_LOCATOR_SIGNATURE) {
    throw invalid('its zip64 record is missing')
  }
  const start = uint64(locator, 8)
  if (start + ZIP64_END_BYTES > locatorOffset) throw invalid('its zip64 record is misplaced')
  const record = read(source, start, ZIP64_END_BYTES)
  if (record.getUint32(0, true) !== ZIP64_END_SIGNATURE)
    throw invalid('its zip64 record is damaged')
  const [entries, bytes, offset] = [uint64(record, 32), uint64(record, 40), uint64(record, 48)]
  const parts = record.getUint32(16, true) + record.getUint32(20, true)
  if (parts !== 0 || uint64(record, 24) !== entries) {
    throw invalid('it is one part of a split archive')
  }
  if (offset + bytes > start) throw invalid('it is cut off')
  if (bytes > MAX_DIRECTORY_BYTES) throw invalid('its directory is too long')
  return { entries, bytes, offset }
}

function uint64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('a size is beyond 2^53')
  return Number(value)
}

interface Record {
  readonly path: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly compressedBytes: number
  readonly inflatedBytes: number
  readonly localOffset: number
}

function readRecords(source: ByteSource, end: DirectoryEnd): Record[] {
  const directory = read(source, end.offset, end.bytes)
  const records: Record[] = []
  let at = 0
  for (let index = 0; index < end.entries; index++) {
    if (at + ENTRY_BYTES > end.bytes) throw invalid('its directory is too short')
    if (directory.getUint32(at, true) !== ENTRY_SIGNATURE) throw invalid('its directory is damaged')
    const nameBytes = directory.getUint16(at + 28, true)
    const next =
      at +
      ENTRY_BYTES +
      nameBytes +
      directory.getUint16(at + 30, true) +
      directory.getUint16(at + 32, true)
    if (next > end.bytes) throw invalid('its directory is too short')
    const path = decodePath(directory, at + ENTRY_BYTES, nameBytes)
    const record = readRecord(directory, at, path)
    if (record !== undefined) records.push(record)
    at = next
  }
  return records
}

/** One file of the directory; undefined for a folder. */
function readRecord(directory: DataView, at: number, path: string): Record | undefined {
  if ((directory.getUint16(at + 8, true) & ENCRYPTED_FLAGS) !== 0) throw refused(path, 'encrypted')
  const isUnix = directory.getUint8(at + 5) === UNIX
  const fileType = isUnix ? (directory.getUint32(at + 38, true) >>> 28) & 0xf : 0
  const { inflatedBytes, compressedBytes, localOffset } = readSizes(directory, at)
  if (path.endsWith('/') && (fileType === 0 || fileType === DIRECTORY)) {
    if (inflatedBytes !== 0) throw refused(path, 'a folder with content')
    return undefined
  }
  if (fileType !== 0 && fileType !== REGULAR_FILE) throw refused(path, 'a link or device')
  const method = directory.getUint16(at + 10, true)
  if (method !== 0 && method !== 8) throw refused(path, `compressed by method ${method}`)
  if (method === 0 && compressedBytes !== inflatedBytes) {
    throw refused(path, 'its two sizes contradict each other')
  }
  return {
    path,
    method: method === 0 ? 'stored' : 'deflated',
    crc32: directory.getUint32(at + 16, true),
    compressedBytes,
    inflatedBytes,
    localOffset,
  }
}

/** Numbers of 32 bits, or of 64 in the extra field, which has those alone that do not fit. */
function readSizes(directory: DataView, at: number) {
  let extra = zip64Field(directory, at)
  const size = (field: number): number => {
    const value = directory.getUint32(at + field, true)
    if (value !== ELSEWHERE) return value
    if (extra === undefined || extra.at + 8 > extra.end) {
      throw invalid('a size of an entry is missing')
    }
    const long = uint64(directory, extra.at)
    extra = { ...extra, at: extra.at + 8 }
    return long
  }
  const inflatedBytes = size(24)
  const compressedBytes = size(20)
  return { inflatedBytes, compressedBytes, localOffset: size(42) }
}

interface Span {
  readonly at: number
  readonly end: number
}

function zip64Field(directory: DataView, at: number): Span | undefined {
  const start = at + ENTRY_BYTES + directory.getUint16(at + 28, true)
  const end = start + directory.getUint16(at + 30, true)
  for (let field = start; field + 4 <= end;) {
    const stop = field + 4 + directory.getUint16(field + 2, true)
    if (stop > end) break
    if (directory.getUint16(field, true) === ZIP64_FIELD) return { at: field + 4, end: stop }
    field = stop
  }
  return undefined
}

function decodePath(directory: DataView, at: number, length: number): string {
  const bytes = new Uint8Array(directory.buffer, directory.byteOffset + at, length)
  // Where this fails it leaves U+FFFD, which no accepted name holds.
  return new TextDecoder().decode(bytes)
}

function isAside(path: string): boolean {
  return path.startsWith('__MACOSX/') || path === '.DS_Store' || path.endsWith('/.DS_Store')
}

function checkNames(records: readonly Record[]): void {
  const seen = new Set<string>()
  const folders = new Set<string>()
  for (const { path } of records) {
    const cut = path.lastIndexOf('/')
    folders.add(path.slice(0, cut + 1))
    const segments = path.split('/')
    if (!segments.every((segment) => isMemberName(segment))) {
      throw refused(path, "names may hold letters, digits, '.', '_' and '-'")
    }
    const name = path.slice(cut + 1)
    if (ARCHIVE_NAME.test(name)) throw refused(path, 'an archive within the archive')
    const folded = name.toLowerCase()
    if (seen.has(folded)) throw refused(path, 'two files have this name')
    seen.add(folded)
  }
  if (folders.size > 1) {
    throw scanErrors.bundle_entry_refused('the files stand in several folders; put them into one')
  }
}

function locate(source: ByteSource, record: Record, directoryOffset: number): ZipEntry {
  const { path, localOffset, method, crc32, compressedBytes, inflatedBytes } = record
  if (localOffset + LOCAL_BYTES > directoryOffset) throw invalid('an entry starts too late')
  const local = read(source, localOffset, LOCAL_BYTES)
  if (local.getUint32(0, true) !== LOCAL_SIGNATURE) throw refused(path, 'no entry stands there')
  const dataOffset =
    localOffset + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true)
  if (dataOffset + compressedBytes > directoryOffset) {
    throw refused(path, 'it reaches into the directory')
  }
  const name = path.slice(path.lastIndexOf('/') + 1)
  return { name, method, crc32, dataOffset, compressedBytes, inflatedBytes }
}

function checkApart(entries: readonly ZipEntry[]): void {
  const ordered = [...entries].sort((a, b) => a.dataOffset - b.dataOffset)
  let end = 0
  for (const entry of ordered) {
    if (entry.dataOffset < end) throw refused(entry.name, 'it overlaps another entry')
    end = entry.dataOffset + entry.compressedBytes
  }
}

function read(source: ByteSource, offset: number, length: number): DataView {
  const reader = new WireReader(source)
  const bytes = reader.copy({ start: offset, end: offset + length })
  return new DataView(bytes.buffer)
}

function refused(path: string, why: string): Error {
  return scanErrors.bundle_entry_refused(`the entry '${printable(path)}': ${why}`)
}

function invalid(why: string): Error {
  return scanErrors.bundle_archive_invalid(`the archive cannot be read: ${why}`)
}
