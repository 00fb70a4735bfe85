// Reads the directory of a .npz archive under the rules for hostile archives:
// 1. only plain files, stored or deflated, not encrypted, in one part, without zip64;
// 2. names are relative, without empty, `.` or `..` segments, backslashes, control characters or
//    drive letters, and differ by more than case and Unicode form; all end in `.npy`;
// 3. entries lie apart from each other, so that no byte is inflated twice;
// 4. counts and claimed sizes are within the limits (what is claimed is checked again on inflating).
// APPNOTE.TXT 6.3 gives the layout.
import { errors } from './errors.js'
import type { DatasetLimits } from './limits.js'
import type { RandomAccess } from './random-access.js'

export interface ZipEntry {
  /** As in the archive, with `.npy`. */
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly compressedBytes: number
  readonly inflatedBytes: number
  /** Where the (compressed) bytes start. */
  readonly dataOffset: number
}

const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const LOCAL_SIGNATURE = 0x04034b50
const END_BYTES = 22
const ENTRY_BYTES = 46
const LOCAL_BYTES = 30
const MAX_COMMENT_BYTES = 0xffff
const ENCRYPTED_FLAGS = 0x2041 // encrypted, strongly encrypted, masked directory

export function isZip(start: Uint8Array): boolean {
  const signature = [0x50, 0x4b]
  const next = start[2]
  return signature.every((byte, index) => start[index] === byte) && (next === 3 || next === 5)
}

/** Lists the entries in the order of the archive. Throws the `dataset_*` errors of the rules. */
export async function readZipDirectory(
  source: RandomAccess,
  limits: DatasetLimits,
): Promise<readonly ZipEntry[]> {
  const end = await findEnd(source)
  if (end.entries > limits.maxArrays) {
    throw errors.dataset_limit_exceeded(
      `the archive has ${end.entries} entries; ${limits.maxArrays} are allowed`,
      { details: { entries: end.entries, limit: limits.maxArrays } },
    )
  }
  const directory = await source.read(end.offset, end.bytes)
  const records = parseRecords(directory, end.entries, limits)
  checkNames(records)
  const entries: ZipEntry[] = []
  for (const record of records) entries.push(await locate(source, record, end.offset))
  checkApart(entries, records)
  checkClaims(entries, source.sizeBytes, limits)
  return entries
}

async function findEnd(source: RandomAccess) {
  const tailBytes = Math.min(source.sizeBytes, END_BYTES + MAX_COMMENT_BYTES)
  const tail = view(await source.read(source.sizeBytes - tailBytes, tailBytes))
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END_SIGNATURE) continue
    if (at + END_BYTES + tail.getUint16(at + 20, true) !== tailBytes) continue
    const [disk, directoryDisk] = [tail.getUint16(at + 4, true), tail.getUint16(at + 6, true)]
    const [entriesHere, entries] = [tail.getUint16(at + 8, true), tail.getUint16(at + 10, true)]
    const [bytes, offset] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)]
    if (entries === 0xffff || offset === 0xffff_ffff) throw needsZip64('the archive')
    if (disk !== 0 || directoryDisk !== 0 || entriesHere !== entries) {
      throw invalid('it is one part of a split archive')
    }
    if (offset + bytes > source.sizeBytes) throw cutOff()
    return { entries, bytes, offset }
  }
  throw cutOff()
}

interface Record {
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly compressedBytes: number
  readonly inflatedBytes: number
  readonly localOffset: number
}

function parseRecords(directory: Uint8Array, count: number, limits: DatasetLimits): Record[] {
  const records: Record[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > directory.byteLength) throw invalid('its directory is too short')
    const record = view(directory.subarray(at))
    if (record.getUint32(0, true) !== ENTRY_SIGNATURE) throw invalid('its directory is damaged')
    const nameBytes = record.getUint16(28, true)
    const restBytes = record.getUint16(30, true) + record.getUint16(32, true)
    const next = at + ENTRY_BYTES + nameBytes + restBytes
    if (next > directory.byteLength) throw invalid('its directory is too short')
    const name = decodeName(
      directory.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes),
      limits,
    )
    records.push(parseRecord(name, record))
    at = next
  }
  return records
}

function parseRecord(name: string, record: DataView): Record {
  if ((record.getUint16(8, true) & ENCRYPTED_FLAGS) !== 0) {
    throw refused(name, 'it is encrypted')
  }
  // Made on Unix: the upper half of the external attributes is the file mode.
  const fileType = record.getUint8(5) === 3 ? (record.getUint32(38, true) >>> 28) & 0xf : 0
  if (fileType !== 0 && fileType !== 0x8) throw refused(name, 'it is a link, folder or device')
  const methodNumber = record.getUint16(10, true)
  if (methodNumber !== 0 && methodNumber !== 8) {
    throw refused(
      name,
      `it is compressed by method ${methodNumber}; numpy.savez_compressed deflates`,
    )
  }
  const sizes = [record.getUint32(20, true), record.getUint32(24, true), record.getUint32(42, true)]
  if (sizes.includes(0xffff_ffff)) throw needsZip64(`"${name}"`)
  return {
    name,
    method: methodNumber === 0 ? 'stored' : 'deflated',
    crc32: record.getUint32(16, true),
    compressedBytes: sizes[0]!,
    inflatedBytes: sizes[1]!,
    localOffset: sizes[2]!,
  }
}

function decodeName(bytes: Uint8Array, limits: DatasetLimits): string {
  if (bytes.byteLength > limits.maxNameBytes) {
    throw refused(`${new TextDecoder().decode(bytes.subarray(0, 32))}…`, 'its name is too long')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw errors.dataset_archive_entry_refused('the archive has an entry whose name is not UTF-8', {
      cause,
    })
  }
}

function checkNames(records: readonly Record[]): void {
  const seen = new Map<string, string>()
  for (const { name } of records) {
    const segments = name.split('/')
    // Control characters, NUL and backslashes have no place in the name of an array.
    const unsafe = /[\p{Cc}\\]/u.test(name)
    if (unsafe || /^[A-Za-z]:\//.test(name) || segments.some((part) => /^\.{0,2}$/.test(part))) {
      throw refused(name, 'its name is not a plain relative name')
    }
    if (!name.endsWith('.npy') || name === '.npy') {
      throw refused(name, 'only arrays (.npy) belong in a data set: write it with numpy.savez')
    }
    const folded = name.normalize('NFKC').toLowerCase()
    const twin = seen.get(folded)
    if (twin !== undefined) throw refused(name, `it has the same name as "${twin}"`)
    seen.set(folded, name)
  }
}

async function locate(
  source: RandomAccess,
  record: Record,
  directoryOffset: number,
): Promise<ZipEntry> {
  if (record.localOffset + LOCAL_BYTES > directoryOffset) throw invalid('an entry starts too late')
  const local = view(await source.read(record.localOffset, LOCAL_BYTES))
  if (local.getUint32(0, true) !== LOCAL_SIGNATURE) {
    throw refused(record.name, 'the directory points to something else')
  }
  const headerBytes = LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true)
  const dataOffset = record.localOffset + headerBytes
  if (dataOffset + record.compressedBytes > directoryOffset) {
    throw refused(record.name, 'it reaches into the directory of the archive')
  }
  const { name, method, crc32, compressedBytes, inflatedBytes } = record
  return { name, method, crc32, compressedBytes, inflatedBytes, dataOffset }
}

function checkApart(entries: readonly ZipEntry[], records: readonly Record[]): void {
  const spans = entries
    .map((entry, index) => ({ entry, start: records[index]!.localOffset }))
    .sort((a, b) => a.start - b.start)
  let end = 0
  for (const { entry, start } of spans) {
    if (start < end) throw refused(entry.name, 'it overlaps another entry')
    end = entry.dataOffset + entry.compressedBytes
  }
}

function checkClaims(
  entries: readonly ZipEntry[],
  archiveBytes: number,
  limits: DatasetLimits,
): void {
  const total = entries.reduce((sum, entry) => sum + entry.inflatedBytes, 0)
  if (total > limits.maxInflatedBytes) {
    throw errors.dataset_limit_exceeded(
      `the arrays take ${total} bytes; ${limits.maxInflatedBytes} are allowed: send fewer samples`,
      { details: { bytes: total, limit: limits.maxInflatedBytes } },
    )
  }
  if (total > Math.max(limits.ratioFloorBytes, archiveBytes * limits.maxRatio)) {
    throw errors.dataset_inflation_refused(
      `an archive of ${archiveBytes} bytes claims ${total} bytes of arrays; at most ${limits.maxRatio} to 1 is allowed: send fewer samples, or an uncompressed archive (numpy.savez)`,
      { details: { archiveBytes, inflatedBytes: total, maxRatio: limits.maxRatio } },
    )
  }
  const lying = entries.find(
    ({ method, compressedBytes, inflatedBytes }) =>
      method === 'stored' && compressedBytes !== inflatedBytes,
  )
  if (lying !== undefined) throw refused(lying.name, 'its two sizes contradict each other')
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function refused(name: string, why: string): Error {
  return errors.dataset_archive_entry_refused(`the archive entry "${name}" is refused: ${why}`, {
    details: { entry: name },
  })
}

function invalid(why: string): Error {
  return errors.dataset_archive_invalid(`the .npz archive cannot be read: ${why}`)
}

function cutOff(): Error {
  return errors.dataset_truncated(
    'the .npz archive has no directory at its end: it was cut off while it was written or uploaded, send it again',
  )
}

function needsZip64(what: string): Error {
  return errors.dataset_limit_exceeded(
    `${what} is 4 GiB or larger, which is more than a data set may have: send fewer samples`,
  )
}
