// Finds the arrays of an upload, whichever of the two formats it has, and streams their elements.
import { errors } from './errors.js'
import { type DatasetLimits, DEFAULT_LIMITS } from './limits.js'
import { isNpy, NPY_PREAMBLE_BYTES, npyDataOffset, type NpyHeader, parseNpyHeader } from './npy.js'
import { type RandomAccess, readRange } from './random-access.js'
import { isZip, readZipDirectory, type ZipEntry } from './zip-directory.js'
import { readZipEntry } from './zip-entry.js'

export interface ArraySource {
  readonly name: string
  readonly header: NpyHeader
  /** The elements, row-major and little-endian, in pieces of whole elements. */
  readonly elements: () => AsyncGenerator<Uint8Array>
  /** Where the elements lie in the source, when they lie there plainly; absent when deflated. */
  readonly offset?: number
}

/** The name numpy gives to an array saved without one; a bare .npy file gets it too. */
export const UNNAMED_ARRAY = 'arr_0'

export interface OpenOptions {
  /** Name of the array of a bare .npy file. Default `arr_0`, which fits a model's only input. */
  readonly arrayName?: string
  readonly limits?: DatasetLimits
}

/** The arrays in the order of the file. Reads headers only. */
export async function openArrays(
  source: RandomAccess,
  { arrayName = UNNAMED_ARRAY, limits = DEFAULT_LIMITS }: OpenOptions = {},
): Promise<readonly ArraySource[]> {
  const start = await source.read(0, Math.min(NPY_PREAMBLE_BYTES, source.sizeBytes))
  if (isNpy(start)) return [await openBareArray(source, arrayName, limits)]
  if (!isZip(start)) {
    throw errors.dataset_format_unknown(
      'the data set is neither an .npz archive nor an .npy array: write it with numpy.savez(path, image=…, label=…)',
    )
  }
  const arrays: ArraySource[] = []
  for (const entry of await readZipDirectory(source, limits)) {
    arrays.push(await openEntry(source, entry, limits))
  }
  return arrays
}

async function openBareArray(
  source: RandomAccess,
  name: string,
  limits: DatasetLimits,
): Promise<ArraySource> {
  const preamble = await source.read(0, Math.min(NPY_PREAMBLE_BYTES, source.sizeBytes))
  const header = parseNpyHeader(name, await source.read(0, npyDataOffset(name, preamble)), limits)
  checkLength(name, header, source.sizeBytes)
  const range = { offset: header.dataOffset, length: header.dataBytes }
  return arraySource(name, header, { pieces: () => readRange(source, range), ...range })
}

async function openEntry(
  source: RandomAccess,
  entry: ZipEntry,
  limits: DatasetLimits,
): Promise<ArraySource> {
  const name = entry.name.slice(0, -'.npy'.length)
  const header = await readEntryHeader(source, entry, { name, limits })
  checkLength(name, header, entry.inflatedBytes)
  const pieces = () => skip(readZipEntry(source, entry), header.dataOffset)
  if (entry.method === 'deflated') return arraySource(name, header, { pieces })
  return arraySource(name, header, { pieces, offset: entry.dataOffset + header.dataOffset })
}

async function readEntryHeader(
  source: RandomAccess,
  entry: ZipEntry,
  { name, limits }: { readonly name: string; readonly limits: DatasetLimits },
): Promise<NpyHeader> {
  let start = new Uint8Array()
  for await (const piece of readZipEntry(source, entry)) {
    start = concat(start, piece)
    if (start.byteLength < NPY_PREAMBLE_BYTES) continue
    if (isZip(start)) break
    if (start.byteLength >= npyDataOffset(name, start)) return parseNpyHeader(name, start, limits)
  }
  throw errors.dataset_archive_entry_refused(
    `the archive entry "${entry.name}" is refused: its contents are not an array`,
    { details: { entry: entry.name } },
  )
}

function checkLength(name: string, header: NpyHeader, sizeBytes: number): void {
  const expected = header.dataOffset + header.dataBytes
  if (sizeBytes === expected) return
  const details = { array: name, dims: header.dims, expectedBytes: expected, bytes: sizeBytes }
  if (sizeBytes < expected) {
    throw errors.dataset_truncated(
      `array "${name}" of shape [${header.dims.join(', ')}] needs ${expected} bytes and has ${sizeBytes}: send the file again`,
      { details },
    )
  }
  throw errors.dataset_array_invalid(
    `array "${name}" has ${sizeBytes - expected} bytes after its last element`,
    { details },
  )
}

function arraySource(
  name: string,
  header: NpyHeader,
  content: { readonly pieces: () => AsyncGenerator<Uint8Array>; readonly offset?: number },
): ArraySource {
  const swapped = header.bigEndian && header.itemBytes > 1
  return {
    name,
    header,
    elements: () => wholeElements(content.pieces(), header.itemBytes, swapped),
    ...(content.offset === undefined || swapped ? {} : { offset: content.offset }),
  }
}

async function* wholeElements(
  pieces: AsyncGenerator<Uint8Array>,
  itemBytes: number,
  swapped: boolean,
): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array()
  for await (const piece of pieces) {
    const joined = rest.byteLength === 0 ? piece : concat(rest, piece)
    const whole = joined.byteLength - (joined.byteLength % itemBytes)
    rest = joined.slice(whole)
    if (whole === 0) continue
    const elements = joined.subarray(0, whole)
    yield swapped ? swapBytes(elements, itemBytes) : elements
  }
}

/** Turns most-significant-first elements into little-endian ones, in a copy. */
function swapBytes(bytes: Uint8Array, itemBytes: number): Uint8Array {
  const copy = Buffer.from(bytes)
  if (itemBytes === 2) return copy.swap16()
  return itemBytes === 4 ? copy.swap32() : copy.swap64()
}

async function* skip(
  pieces: AsyncGenerator<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array> {
  let left = count
  for await (const piece of pieces) {
    const skipped = Math.min(left, piece.byteLength)
    left -= skipped
    if (skipped < piece.byteLength) yield piece.subarray(skipped)
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.byteLength + b.byteLength)
  joined.set(a)
  joined.set(b, a.byteLength)
  return joined
}
