// The records of the directory (APPNOTE.TXT 6.3, section 4.3.12), each a plain file or a folder.
import { type DirectoryEnd, directoryEnd, ELSEWHERE, uint64 } from './directory-end.js'
import { type Reading, readView } from './reading.js'
import { ZipFault } from './zip-fault.js'

export interface ZipLimits {
  readonly maxEntries: number
  /** Whether sizes and counts beyond plain zip are read; refused otherwise. */
  readonly allowsZip64: boolean
}

/** What the directory says of an entry: claims, all of them. */
export interface ZipRecord {
  /** Not checked. What is not UTF-8 has become U+FFFD. */
  readonly name: string
  /** The name as it stands in the archive. */
  readonly nameBytes: Uint8Array
  readonly isFolder: boolean
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly compressedBytes: number
  readonly inflatedBytes: number
  readonly localOffset: number
}

const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_BYTES = 46
const ZIP64_FIELD = 0x0001
/** Room for many thousand entries with long names; it is read in one piece. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20
const ENCRYPTED_FLAGS = 0x2041 // encrypted, strongly encrypted, masked directory
const UNIX = 3
const REGULAR_FILE = 0x8
const DIRECTORY = 0x4

/** Where the directory begins, and its records in order. Throws `ZipFault`. */
export function* zipRecords(
  sizeBytes: number,
  limits: ZipLimits,
): Reading<{ readonly offset: number; readonly records: readonly ZipRecord[] }> {
  const end = yield* directoryEnd(sizeBytes, limits.allowsZip64)
  if (end.entries > limits.maxEntries) {
    throw new ZipFault(
      'too_many_entries',
      `the archive has ${end.entries} entries; ${limits.maxEntries} are allowed`,
    )
  }
  if (end.bytes > MAX_DIRECTORY_BYTES) throw new ZipFault('damaged', 'its directory is too long')
  const directory = yield* readView(end.offset, end.bytes)
  return { offset: end.offset, records: parseRecords(directory, end, limits) }
}

function parseRecords(directory: DataView, end: DirectoryEnd, limits: ZipLimits): ZipRecord[] {
  const records: ZipRecord[] = []
  let at = 0
  for (let index = 0; index < end.entries; index++) {
    if (at + ENTRY_BYTES > end.bytes) throw new ZipFault('damaged', 'its directory is too short')
    if (directory.getUint32(at, true) !== ENTRY_SIGNATURE) {
      throw new ZipFault('damaged', 'its directory is damaged')
    }
    const lengths = [28, 30, 32].map((field) => directory.getUint16(at + field, true))
    const next = at + ENTRY_BYTES + lengths.reduce((sum, length) => sum + length, 0)
    if (next > end.bytes) throw new ZipFault('damaged', 'its directory is too short')
    records.push(parseRecord(directory, at, limits))
    at = next
  }
  return records
}

function parseRecord(directory: DataView, at: number, limits: ZipLimits): ZipRecord {
  const start = directory.byteOffset + at + ENTRY_BYTES
  const nameBytes = new Uint8Array(directory.buffer, start, directory.getUint16(at + 28, true))
  const name = new TextDecoder().decode(nameBytes)
  const refused = (why: string) => new ZipFault('entry_refused', why, name)
  if ((directory.getUint16(at + 8, true) & ENCRYPTED_FLAGS) !== 0) throw refused('it is encrypted')
  // Made on Unix: the upper half of the external attributes is the file mode.
  const isUnix = directory.getUint8(at + 5) === UNIX
  const fileType = isUnix ? (directory.getUint32(at + 38, true) >>> 28) & 0xf : 0
  const isFolder = name.endsWith('/') && (fileType === 0 || fileType === DIRECTORY)
  if (!isFolder && fileType !== 0 && fileType !== REGULAR_FILE) {
    throw refused('it is a link, folder or device')
  }
  const sizes = readSizes(directory, at, { name, limits })
  if (isFolder && sizes.inflatedBytes !== 0) throw refused('it is a folder with content')
  const method = directory.getUint16(at + 10, true)
  if (method !== 0 && method !== 8) {
    throw refused(`it is compressed by method ${method}, which is not deflate`)
  }
  if (method === 0 && sizes.compressedBytes !== sizes.inflatedBytes) {
    throw refused('its two sizes contradict each other')
  }
  const crc32 = directory.getUint32(at + 16, true)
  return {
    name,
    nameBytes,
    isFolder,
    method: method === 0 ? 'stored' : 'deflated',
    crc32,
    ...sizes,
  }
}

/** Numbers of 32 bits, or of 64 in the extra field, which has those alone that do not fit. */
function readSizes(
  directory: DataView,
  at: number,
  { name, limits }: { readonly name: string; readonly limits: ZipLimits },
): Pick<ZipRecord, 'inflatedBytes' | 'compressedBytes' | 'localOffset'> {
  let extra = zip64Field(directory, at)
  const size = (field: number): number => {
    const value = directory.getUint32(at + field, true)
    if (value !== ELSEWHERE) return value
    if (!limits.allowsZip64) throw new ZipFault('zip64_refused', 'it is a zip64 entry', name)
    if (extra === undefined || extra.at + 8 > extra.end) {
      throw new ZipFault('damaged', 'a size of an entry is missing')
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
