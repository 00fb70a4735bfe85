import { createGzip } from 'node:zlib'

import { type ModelSource, piecesOf } from './model/model-source.js'

export interface FileSize {
  readonly bytes: number
  /** Bytes after gzip at level 6, its default: what a download or an image layer takes. */
  readonly gzip_bytes: number
}

const GZIP_LEVEL = 6
/** Raw and compressed size; the compressed bytes are counted, not kept. */
export async function measureSize(source: ModelSource): Promise<FileSize> {
  const gzip = createGzip({ level: GZIP_LEVEL })
  const feeding = feed(gzip, source)
  let compressed = 0
  for await (const piece of gzip) compressed += (piece as Uint8Array).byteLength
  return { bytes: await feeding, gzip_bytes: compressed }
}

async function feed(gzip: ReturnType<typeof createGzip>, source: ModelSource): Promise<number> {
  let bytes = 0
  for await (const piece of piecesOf(source)) {
    bytes += piece.byteLength
    if (gzip.write(piece)) continue
    await new Promise((resolve) => gzip.once('drain', resolve))
  }
  gzip.end()
  return bytes
}
