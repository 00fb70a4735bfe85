// Arrays of samples, to and from .npz files. An array is `{ dataType, dims, data }`, its first
// dimension the sample.
import { createFile, openFile } from '../../packages/datasets/dist/node.js'
import {
  formatNpyHeader,
  normalizeDataset,
  openDataset,
  writeStoredZip,
} from '../../packages/datasets/dist/index.js'

/** Writes named arrays as an uncompressed .npz, which numpy and @pare/datasets both read. */
export async function writeNpz(path, arrays) {
  const entries = Object.entries(arrays).map(([name, { dataType, dims, data }]) => {
    const pieces = [
      formatNpyHeader(dataType, dims),
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ]
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    return { name: `${name}.npy`, sizeBytes, content: inOrder(pieces) }
  })
  const sink = await createFile(path)
  await writeStoredZip(
    entries.sort((a, b) => (a.name < b.name ? -1 : 1)),
    sink,
  )
  await sink.close()
}

async function* inOrder(pieces) {
  yield* pieces
}

/** float32 samples of one shape, from one Float32Array each. */
export function stackFloats(samples, shape) {
  const size = shape.reduce((product, dim) => product * dim, 1)
  const data = new Float32Array(samples.length * size)
  samples.forEach((sample, index) => data.set(sample, index * size))
  return { dataType: 'float32', dims: [samples.length, ...shape], data }
}

/** Opens the normalized data at `path`; `close` releases the file. */
export async function openNpz(path) {
  const file = await openFile(path)
  const dataset = await openDataset(file)
  return { dataset, close: () => file.close() }
}

/** Rewrites a compressed .npz into the form that `openNpz` reads in place. */
export async function normalizeNpz(from, to) {
  const source = await openFile(from)
  const sink = await createFile(to)
  await normalizeDataset(source, sink)
  await sink.close()
  await source.close()
}

/** All arrays of a normalized .npz, or their first `limit` samples. */
export async function readNpz(path, { limit = Infinity } = {}) {
  const { dataset, close } = await openNpz(path)
  const { feeds, labels } = await dataset.head(Math.min(limit, dataset.samples))
  await close()
  return labels === undefined ? feeds : { ...feeds, [dataset.labels]: labels }
}
