// The end of an archive says where its directory is (APPNOTE.TXT 6.3, sections 4.3.14 to 4.3.16).
import { type Reading, readView } from './reading.js'
import { ZipFault } from './zip-fault.js'

export interface DirectoryEnd {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

const END_SIGNATURE = 0x06054b50
const ZIP64_END_SIGNATURE = 0x06064b50
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50
const END_BYTES = 22
const ZIP64_END_BYTES = 56
const ZIP64_LOCATOR_BYTES = 20
const MAX_COMMENT_BYTES = 0xffff
/** Stands where the number is in the zip64 record or field. */
export const ELSEWHERE = 0xffff_ffff

export function* directoryEnd(sizeBytes: number, allowsZip64: boolean): Reading<DirectoryEnd> {
  const tailBytes = Math.min(sizeBytes, END_BYTES + MAX_COMMENT_BYTES)
  const tail = yield* readView(sizeBytes - tailBytes, tailBytes)
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END_SIGNATURE) continue
    // A comment may quote the signature: the true end has a comment that ends with the archive.
    if (at + END_BYTES + tail.getUint16(at + 20, true) !== tailBytes) continue
    const entries = tail.getUint16(at + 10, true)
    const bytes = tail.getUint32(at + 12, true)
    const offset = tail.getUint32(at + 16, true)
    if (entries === 0xffff || offset === ELSEWHERE || bytes === ELSEWHERE) {
      if (!allowsZip64) throw new ZipFault('zip64_refused', 'it is a zip64 archive')
      return yield* zip64End(sizeBytes - tailBytes + at)
    }
    if (tail.getUint32(at + 4, true) !== 0 || tail.getUint16(at + 8, true) !== entries) {
      throw isSplit()
    }
    if (offset + bytes > sizeBytes) throw isCutOff()
    return { entries, bytes, offset }
  }
  throw isCutOff()
}

/** The end of an archive beyond 4 GiB or 65,535 entries; `end` is where its plain end begins. */
function* zip64End(end: number): Reading<DirectoryEnd> {
  const locatorOffset = end - ZIP64_LOCATOR_BYTES
  if (locatorOffset < ZIP64_END_BYTES) throw damaged('its zip64 record is missing')
  const locator = yield* readView(locatorOffset, ZIP64_LOCATOR_BYTES)
  if (locator.getUint32(0, true) !== ZIP64_LOCATOR_SIGNATURE) {
    throw damaged('its zip64 record is missing')
  }
  const start = uint64(locator, 8)
  if (start + ZIP64_END_BYTES > locatorOffset) throw damaged('its zip64 record is misplaced')
  const record = yield* readView(start, ZIP64_END_BYTES)
  if (record.getUint32(0, true) !== ZIP64_END_SIGNATURE) {
    throw damaged('its zip64 record is damaged')
  }
  const [entries, bytes, offset] = [uint64(record, 32), uint64(record, 40), uint64(record, 48)]
  const parts = record.getUint32(16, true) + record.getUint32(20, true)
  if (parts !== 0 || uint64(record, 24) !== entries) throw isSplit()
  if (offset + bytes > start) throw isCutOff()
  return { entries, bytes, offset }
}

export function uint64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged('a size is beyond 2^53')
  return Number(value)
}

function damaged(why: string): ZipFault {
  return new ZipFault('damaged', why)
}

function isSplit(): ZipFault {
  return damaged('it is one part of a split archive')
}

function isCutOff(): ZipFault {
  return new ZipFault('cut_off', 'it has no whole directory at its end: it was cut off')
}
