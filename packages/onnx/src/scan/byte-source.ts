/**
 * Bytes that can be read at any place: a buffer, or a file of any size through a small window.
 * `read` returns between 1 and `length` bytes that start at `offset`; it is asked only for ranges
 * inside `size`. The bytes stay valid until the next call.
 */
export interface ByteSource {
  readonly size: number
  readonly read: (offset: number, length: number) => Uint8Array
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.byteLength,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  }
}
