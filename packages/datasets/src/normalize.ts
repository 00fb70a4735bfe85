// Rewrites an upload into the one form that later stages read: an uncompressed .npz whose arrays
// lie in alphabetical order, little-endian, aligned, with version 1.0 headers.
import { type ArraySource, openArrays, type OpenOptions } from './array-source.js'
import { byName } from './inspect.js'
import { formatNpyHeader } from './npy.js'
import type { ByteSink, RandomAccess } from './random-access.js'
import { type StoredEntry, writeStoredZip } from './zip-writer.js'

/**
 * Writes the normalized form of `source`. The same arrays give the same bytes, however they were
 * compressed or ordered. Throws the `dataset_*` errors of format and limits; values are not judged.
 */
export async function normalizeDataset(
  source: RandomAccess,
  sink: ByteSink,
  options: OpenOptions = {},
): Promise<{ readonly sizeBytes: number }> {
  const arrays = byName(await openArrays(source, options))
  return writeStoredZip(arrays.map(storedEntry), sink)
}

function storedEntry(array: ArraySource): StoredEntry {
  const header = formatNpyHeader(array.header.dataType, array.header.dims)
  return {
    name: `${array.name}.npy`,
    sizeBytes: header.byteLength + array.header.dataBytes,
    content: withHeader(header, array),
  }
}

async function* withHeader(header: Uint8Array, array: ArraySource): AsyncGenerator<Uint8Array> {
  yield header
  yield* array.elements()
}
