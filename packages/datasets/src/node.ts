// Files as data set sources and sinks.
import { type FileHandle, open } from 'node:fs/promises'

import { type ByteSink, type RandomAccess, truncated } from './random-access.js'

export interface OpenFile extends RandomAccess {
  readonly close: () => Promise<void>
}

/** Opens a file for reading at any place. The caller closes it. */
export async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, 'r')
  const { size } = await handle.stat()
  return {
    sizeBytes: size,
    read: (offset, length) => readExactly(handle, { offset, length, sizeBytes: size }),
    close: () => handle.close(),
  }
}

interface Span {
  readonly offset: number
  readonly length: number
  readonly sizeBytes: number
}

async function readExactly(handle: FileHandle, span: Span): Promise<Uint8Array> {
  const { offset, length, sizeBytes } = span
  if (offset < 0 || offset + length > sizeBytes) throw truncated(offset, length, sizeBytes)
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw truncated(offset, length, offset + done)
    done += bytesRead
  }
  return bytes
}

export interface FileSink extends ByteSink {
  /** Flushes to the disk and closes. */
  readonly close: () => Promise<void>
}

/** Creates a file, which must not exist yet, and writes to it from its beginning. */
export async function createFile(path: string): Promise<FileSink> {
  const handle = await open(path, 'wx')
  return {
    write: async (bytes) => {
      let done = 0
      while (done < bytes.byteLength) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done)
        done += bytesWritten
      }
    },
    close: async () => {
      await handle.sync()
      await handle.close()
    },
  }
}
