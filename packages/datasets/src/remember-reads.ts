// Reading the same data set again without asking the source again: a search runs model after model
// over the same few batches.
import type { RandomAccess } from './random-access.js'

/** Gives a source a memory. All that it is given must hold the same bytes. */
export type RememberReads = (source: RandomAccess) => RandomAccess

/**
 * The first reads, as many as `maxBytes` hold, come from memory when they are asked for again at the
 * same place and length; the others from the source each time. Whoever reads gets the remembered
 * bytes themselves: they must not be changed.
 */
export function rememberReads(maxBytes: number): RememberReads {
  const known = new Map<string, Uint8Array>()
  let free = maxBytes
  return (source) => ({
    sizeBytes: source.sizeBytes,
    read: async (offset, length) => {
      const key = `${offset}:${length}`
      const remembered = known.get(key)
      if (remembered !== undefined) return remembered
      const bytes = await source.read(offset, length)
      if (bytes.byteLength <= free && !known.has(key)) {
        free -= bytes.byteLength
        known.set(key, bytes)
      }
      return bytes
    },
  })
}
