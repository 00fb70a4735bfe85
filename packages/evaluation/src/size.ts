import { createGzip } from 'node:zlib'

export interface FileSize {
  readonly bytes: number
  /** Bytes after gzip at level 6, its default: what a download or an image layer takes. */
  readonly gzip_bytes: number
}

const GZIP_LEVEL = 6
const PIECE_BYTES = 1 << 20

/** Raw and compressed size; the compressed bytes are counted, not kept. */
export async function measureSize(bytes: Uint8Array): Promise<FileSize> {
  const gzip = createGzip({ level: GZIP_LEVEL })
  const feeding = feed(gzip, bytes)
  let compressed = 0
  for await (const piece of gzip) compressed += (piece as Uint8Array).byteLength
  await feeding
  return { bytes: bytes.byteLength, gzip_bytes: compressed }
}

async function feed(gzip: ReturnType<typeof createGzip>, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    if (gzip.write(bytes.subarray(at, at + PIECE_BYTES))) continue
    await new Promise((resolve) => gzip.once('drain', resolve))
  }
  gzip.end()
}
