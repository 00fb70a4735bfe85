// Where entries lie: what the directory says, and the local header before the bytes of each
// (APPNOTE.TXT 6.3, section 4.3.7).
import { type Reading, readView } from './reading.js'
import { ZipFault } from './zip-fault.js'
import type { ZipRecord } from './zip-records.js'

export type ZipEntry<Record extends ZipRecord = ZipRecord> = Record & {
  /** Where the (compressed) bytes start. */
  readonly dataOffset: number
}

const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_BYTES = 30

/**
 * The places of entries, which lie before the directory at `directoryOffset` and apart from each
 * other, so that no byte is inflated twice. In the order given. Throws `ZipFault`.
 */
export function* zipEntries<Record extends ZipRecord>(
  records: readonly Record[],
  directoryOffset: number,
): Reading<readonly ZipEntry<Record>[]> {
  const entries: ZipEntry<Record>[] = []
  for (const record of records) {
    const { name, localOffset, compressedBytes } = record
    if (localOffset + LOCAL_BYTES > directoryOffset) {
      throw new ZipFault('damaged', 'an entry starts too late')
    }
    const local = yield* readView(localOffset, LOCAL_BYTES)
    if (local.getUint32(0, true) !== LOCAL_SIGNATURE) {
      throw new ZipFault('entry_refused', 'the directory points to something else', name)
    }
    const headerBytes = LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true)
    const dataOffset = localOffset + headerBytes
    if (dataOffset + compressedBytes > directoryOffset) {
      throw new ZipFault('entry_refused', 'it reaches into the directory of the archive', name)
    }
    entries.push({ ...record, dataOffset })
  }
  checkApart(entries)
  return entries
}

function checkApart(entries: readonly ZipEntry[]): void {
  let end = 0
  for (const entry of entries.toSorted((a, b) => a.localOffset - b.localOffset)) {
    if (entry.localOffset < end) {
      throw new ZipFault('entry_refused', 'it overlaps another entry', entry.name)
    }
    end = entry.dataOffset + entry.compressedBytes
  }
}
