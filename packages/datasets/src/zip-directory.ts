// Reads the directory of a .npz archive. Beside the rules of @pare/zip for all archives:
// 1. no zip64;
// 2. names are relative, without empty, `.` or `..` segments, backslashes, control characters or
//    drive letters, and differ by more than case and Unicode form; all end in `.npy`;
// 3. counts and claimed sizes are within the limits (what is claimed is checked again on inflating).
import {
  readLater,
  zipEntries,
  type ZipEntry as AnyEntry,
  ZipFault,
  type ZipRecord,
  zipRecords,
} from '@pare/zip'

import { errors } from './errors.js'
import type { DatasetLimits } from './limits.js'
import type { RandomAccess } from './random-access.js'

/** `name` as in the archive, with `.npy`. */
export type ZipEntry = Pick<
  AnyEntry,
  'name' | 'method' | 'crc32' | 'compressedBytes' | 'inflatedBytes' | 'dataOffset'
>

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
  try {
    const zipLimits = { maxEntries: limits.maxArrays, allowsZip64: false }
    const { records, offset } = await readLater(
      zipRecords(source.sizeBytes, zipLimits),
      source.read,
    )
    for (const record of records) checkEncoding(record, limits)
    checkNames(records)
    const entries = await readLater(zipEntries(records, offset), source.read)
    checkClaims(entries, source.sizeBytes, limits)
    return entries
  } catch (thrown) {
    throw thrown instanceof ZipFault ? toDatasetError(thrown) : thrown
  }
}

function checkEncoding({ nameBytes }: ZipRecord, limits: DatasetLimits): void {
  if (nameBytes.byteLength > limits.maxNameBytes) {
    const start = new TextDecoder().decode(nameBytes.subarray(0, 32))
    throw refused(`${start}…`, 'its name is too long')
  }
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(nameBytes)
  } catch (cause) {
    throw errors.dataset_archive_entry_refused('the archive has an entry whose name is not UTF-8', {
      cause,
    })
  }
}

function checkNames(records: readonly ZipRecord[]): void {
  const seen = new Map<string, string>()
  for (const { name, isFolder } of records) {
    const segments = name.split('/')
    // Control characters, NUL and backslashes have no place in the name of an array.
    const unsafe = /[\p{Cc}\\]/u.test(name)
    if (unsafe || /^[A-Za-z]:\//.test(name) || segments.some((part) => /^\.{0,2}$/.test(part))) {
      throw refused(name, 'its name is not a plain relative name')
    }
    if (isFolder || !name.endsWith('.npy') || name === '.npy') {
      throw refused(name, 'only arrays (.npy) belong in a data set: write it with numpy.savez')
    }
    const folded = name.normalize('NFKC').toLowerCase()
    const twin = seen.get(folded)
    if (twin !== undefined) throw refused(name, `it has the same name as "${twin}"`)
    seen.set(folded, name)
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
}

function refused(name: string, why: string): Error {
  return errors.dataset_archive_entry_refused(`the archive entry "${name}" is refused: ${why}`, {
    details: { entry: name },
  })
}

function toDatasetError({ kind, message, entry }: ZipFault): Error {
  switch (kind) {
    case 'cut_off':
      return errors.dataset_truncated(
        'the .npz archive has no directory at its end: it was cut off while it was written or uploaded, send it again',
      )
    case 'damaged':
      return errors.dataset_archive_invalid(`the .npz archive cannot be read: ${message}`)
    case 'entry_refused':
      return refused(entry ?? '', message)
    case 'too_many_entries':
      return errors.dataset_limit_exceeded(message)
    case 'zip64_refused': {
      const what = entry === undefined ? 'the archive' : `"${entry}"`
      return errors.dataset_limit_exceeded(
        `${what} is 4 GiB or larger, which is more than a data set may have: send fewer samples`,
      )
    }
  }
}
