import { createGzip } from 'node:zlib'

import { type ModelSource, readSource, sizeOf } from './model/model-source.js'

export interface FileSize {
  readonly bytes: number
  /**
   * Bytes after gzip at level 6, its default: what a download or an image layer takes. Of a file
   * beyond 512 MiB, which would take minutes, an estimate from pieces all over it.
   */
  readonly gzip_bytes: number
}

const GZIP_LEVEL = 6
const PIECE_BYTES = 1 << 20
const MOST_PIECES = 512

/** Raw and compressed size; the compressed bytes are counted, not kept. */
export async function measureSize(
  source: ModelSource,
  { mostPieces = MOST_PIECES } = {},
): Promise<FileSize> {
  const gzip = createGzip({ level: GZIP_LEVEL })
  const feeding = feed(gzip, source, mostPieces)
  let compressed = 0
  for await (const piece of gzip) compressed += (piece as Uint8Array).byteLength
  const bytes = sizeOf(source)
  const fed = await feeding
  return { bytes, gzip_bytes: fed === bytes ? compressed : Math.round(compressed * (bytes / fed)) }
}

/** Every piece, or every nth when they are too many; returns how many bytes that was. */
async function feed(
  gzip: ReturnType<typeof createGzip>,
  source: ModelSource,
  mostPieces: number,
): Promise<number> {
  const size = sizeOf(source)
  const stride = PIECE_BYTES * Math.max(1, Math.ceil(size / PIECE_BYTES / mostPieces))
  let fed = 0
  for (let at = 0; at < size; at += stride) {
    const piece = readSource(source, at, Math.min(size, at + PIECE_BYTES))
    fed += piece.byteLength
    if (gzip.write(piece)) continue
    await new Promise((resolve) => gzip.once('drain', resolve))
  }
  gzip.end()
  return fed
}
