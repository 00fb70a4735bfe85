/**
 * Opens a file for reading under rules that keep an upload from naming files of the host: no
 * symbolic link, a regular file, with one name only. onnxruntime 1.30 reads through hard links
 * (CVE-2026-34446 is the same fault in the onnx package), so the link count is checked here, on the
 * open file, where it cannot change between check and use.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

import type { ByteSource } from '../scan/byte-source.js'
import { scanErrors } from '../scan/errors.js'

export interface PlainFile {
  readonly source: ByteSource
  /** A copy of `length` bytes from `offset`; both lie inside the file. */
  readonly readRange: (offset: number, length: number) => Uint8Array
  readonly close: () => void
}

/** @throws file_not_plain; the system's error if the file cannot be opened otherwise. */
export function openPlainFile(path: string): PlainFile {
  const fd = openWithoutLinks(path)
  const facts = fstatSync(fd)
  if (!facts.isFile() || facts.nlink !== 1) {
    closeSync(fd)
    const what = facts.isFile() ? `it has ${facts.nlink} names (hard links)` : 'not a regular file'
    throw scanErrors.file_not_plain(`a file of the upload was refused: ${what}`)
  }
  return {
    source: fileSource(fd, facts.size),
    readRange: (offset, length) => readRange(fd, offset, length),
    close: () => closeSync(fd),
  }
}

/** Some of its bytes as if they were a file of their own; closing it closes the file. */
export function partOf(file: PlainFile, offset: number, bytes: number): PlainFile {
  const { source, readRange: readWhole } = file
  if (offset === 0 && bytes === source.size) return file
  return {
    source: {
      size: bytes,
      read: (at, length) => source.read(offset + at, Math.min(length, bytes - at)),
    },
    readRange: (at, length) => readWhole(offset + at, length),
    close: () => file.close(),
  }
}

function openWithoutLinks(path: string): number {
  try {
    // NONBLOCK: opening a named pipe must not wait for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP') {
      throw scanErrors.file_not_plain('a file of the upload was refused: it is a symbolic link', {
        cause: error,
      })
    }
    throw error
  }
}

export function fileSource(fd: number, size: number): ByteSource {
  return {
    size,
    read: (offset, length) => {
      const bytes = new Uint8Array(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
    },
  }
}

export function readRange(fd: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let filled = 0; filled < length;) {
    // One read of the system ends below 2 GiB.
    const wanted = Math.min(length - filled, 2 ** 30)
    const count = readSync(fd, bytes, filled, wanted, offset + filled)
    if (count === 0)
      throw scanErrors.file_not_plain('a file of the upload shrank while it was read')
    filled += count
  }
  return bytes
}
