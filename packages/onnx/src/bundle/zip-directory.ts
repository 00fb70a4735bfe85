/**
 * Lists the files of a model archive. Beside the rules of @pare/zip for all archives:
 * 1. all files stand in one folder; their names are letters, digits, '.', '_', '-', differ by more
 *    than case, and name no archive; what macOS adds (`__MACOSX/`, `.DS_Store`) is left out;
 * 2. counts and claimed sizes are within the limits (what is claimed is checked again on inflating).
 */
import {
  readNow,
  zipEntries,
  type ZipEntry as AnyEntry,
  ZipFault,
  type ZipRecord,
  zipRecords,
} from '@pare/zip'

import type { ByteSource } from '../scan/byte-source.js'
import { scanErrors } from '../scan/errors.js'
import { isMemberName } from '../scan/external-data.js'
import { printable } from '../scan/place.js'
import { WireReader } from '../scan/wire-reader.js'
import type { BundleLimits } from './limits.js'

/** `name` without folders. */
export type ZipEntry = Pick<
  AnyEntry,
  'name' | 'method' | 'crc32' | 'compressedBytes' | 'inflatedBytes' | 'dataOffset'
>

const ARCHIVE_NAME = /\.(zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar|pt|pth|npz)$/i

export function readZipDirectory(source: ByteSource, limits: BundleLimits): readonly ZipEntry[] {
  const reader = new WireReader(source)
  const read = (offset: number, length: number) =>
    reader.copy({ start: offset, end: offset + length })
  try {
    const zipLimits = { maxEntries: limits.maxEntries, allowsZip64: true }
    const { records, offset } = readNow(zipRecords(source.size, zipLimits), read)
    const files = records.filter(({ name, isFolder }) => !isFolder && !isAside(name))
    checkNames(files)
    const entries = readNow(zipEntries(files, offset), read)
    const claimed = entries.reduce((total, { inflatedBytes }) => total + inflatedBytes, 0)
    if (claimed > limits.maxInflatedBytes) {
      const reason = `the files have ${claimed} bytes, the limit is ${limits.maxInflatedBytes}`
      throw scanErrors.bundle_too_large(reason)
    }
    return entries.map(({ name, ...rest }) => ({ ...rest, name: withoutFolders(name) }))
  } catch (thrown) {
    throw thrown instanceof ZipFault ? toBundleError(thrown) : thrown
  }
}

function withoutFolders(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function isAside(path: string): boolean {
  return path.startsWith('__MACOSX/') || path === '.DS_Store' || path.endsWith('/.DS_Store')
}

function checkNames(records: readonly ZipRecord[]): void {
  const seen = new Set<string>()
  const folders = new Set<string>()
  for (const { name: path } of records) {
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

function refused(path: string, why: string): Error {
  return scanErrors.bundle_entry_refused(`the entry '${printable(path)}': ${why}`)
}

function toBundleError({ kind, message, entry }: ZipFault): Error {
  switch (kind) {
    case 'entry_refused':
      return refused(entry ?? '', message)
    case 'too_many_entries':
      return scanErrors.bundle_too_large(message)
    case 'cut_off':
    case 'damaged':
    case 'zip64_refused':
      return scanErrors.bundle_archive_invalid(`the archive cannot be read: ${message}`)
  }
}
