// The port through which data sets are read and written. Nothing here knows what a file is: the
// file system adapter is the subpath `@pare/datasets/node`.
import { errors } from './errors.js'

/**
 * Bytes that can be read at any place. `read` returns exactly `length` bytes, in a buffer that the
 * caller may keep, but not change (`rememberReads`); it throws `dataset_truncated` when the source is shorter than asked.
 */
export interface RandomAccess {
  readonly sizeBytes: number
  readonly read: (offset: number, length: number) => Promise<Uint8Array>
}

/** Takes bytes in order. A promise that resolves means "ready for more". */
export interface ByteSink {
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/** Bytes in memory, for tests and small data. */
export function bytesAccess(bytes: Uint8Array): RandomAccess {
  return {
    sizeBytes: bytes.byteLength,
    read: (offset, length) => {
      if (offset < 0 || offset + length > bytes.byteLength) {
        return Promise.reject(truncated(offset, length, bytes.byteLength))
      }
      return Promise.resolve(bytes.slice(offset, offset + length))
    },
  }
}

export function truncated(offset: number, length: number, sizeBytes: number): Error {
  return errors.dataset_truncated(
    `the data set has ${sizeBytes} bytes, but its contents reach to byte ${offset + length}: it was cut off while it was written or uploaded, send it again`,
    { details: { sizeBytes, offset, length } },
  )
}

/** Reads a range in pieces, so that nothing holds more than `pieceBytes` of it. */
export async function* readRange(
  source: RandomAccess,
  range: { readonly offset: number; readonly length: number },
  pieceBytes = 1 << 20,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < range.length; done += pieceBytes) {
    yield await source.read(range.offset + done, Math.min(pieceBytes, range.length - done))
  }
}
