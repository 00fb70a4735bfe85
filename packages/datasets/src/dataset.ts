// A data set opened for reading by batch. Only the batch asked for is in memory.
import { type DataType, type RuntimeTensor, storedArray } from '@pare/tensor'

import { type ArraySource, openArrays, type OpenOptions } from './array-source.js'
import { type Batch, castFloats, padBatch } from './batch.js'
import type { ArrayDescription } from './description.js'
import { errors } from './errors.js'
import { byName, checkSamples, findLabels } from './inspect.js'
import { DEFAULT_LIMITS } from './limits.js'
import { itemBytesOf } from './npy.js'
import type { RandomAccess } from './random-access.js'

export interface BatchOptions {
  /** Rows per batch. Default 32. */
  readonly batchSize?: number
  /** First sample, in the order in which they are read. Default 0. */
  readonly offset?: number
  /** Most samples to read. Default all. */
  readonly limit?: number
  /** Indices of the samples to read, in this order. Default: all, as they lie. */
  readonly order?: Uint32Array
  /** Which array feeds which input. Default: every array but the labels feeds its namesake. */
  readonly inputs?: readonly InputBinding[]
  /** Arrays to give as `labelArrays`: labels of other outputs than those `labels` are of. */
  readonly labelArrays?: readonly string[]
  /**
   * What becomes of a last batch with too few samples: it is shorter (`keep`, the default), left out
   * (`drop`), or filled up with its last sample (`pad`), for models with a fixed batch size.
   */
  readonly remainder?: 'keep' | 'drop' | 'pad'
}

export interface InputBinding {
  readonly input: string
  readonly array: string
  /** The float type that the input takes, where the array has the other of float16 and float32. */
  readonly dataType?: DataType
  /** Each sample of the array is a whole input: batches have one sample. */
  readonly isWhole?: boolean
}

export interface Dataset {
  readonly samples: number
  readonly arrays: readonly ArrayDescription[]
  /** Name of the labels array, or null. */
  readonly labels: string | null
  readonly batches: (options?: BatchOptions) => AsyncGenerator<Batch, void, undefined>
  /** The first `count` samples (fewer if there are fewer) as one batch. */
  readonly head: (count: number, options?: Pick<BatchOptions, 'inputs'>) => Promise<Batch>
}

export interface OpenDatasetOptions extends OpenOptions {
  /** Name of the labels array. Default: `label` or `labels`, if there is one. */
  readonly labels?: string
}

/**
 * Opens the normalized form of a data set (an uncompressed .npz or a bare .npy does too). Throws
 * `dataset_not_normalized` for a compressed one and the errors of `inspectDataset` that need no
 * reading of values.
 */
export async function openDataset(
  source: RandomAccess,
  options: OpenDatasetOptions = {},
): Promise<Dataset> {
  const opened = byName(await openArrays(source, options))
  const samples = checkSamples(opened, (options.limits ?? DEFAULT_LIMITS).maxSampleBytes)
  const arrays = opened.map(placeArray)
  const labels = findLabels(arrays, options.labels)?.name ?? null
  const reader: Reader = {
    source,
    samples,
    arrays: new Map(arrays.map((a) => [a.name, a])),
    labels,
  }
  return {
    samples,
    arrays: arrays.map(({ name, dataType, dims }) => ({ name, dataType, dims })),
    labels,
    batches: (batchOptions = {}) => readBatches(reader, batchOptions),
    head: (count, { inputs } = {}) =>
      readBatch(reader, bindings(reader, inputs), { offset: 0, count: Math.min(count, samples) }),
  }
}

interface PlacedArray extends ArrayDescription {
  /** Where its first element lies in the source. */
  readonly offset: number
}

function placeArray({ name, header, offset }: ArraySource): PlacedArray {
  if (offset === undefined) {
    throw errors.dataset_not_normalized(
      `array "${name}" cannot be read in place: normalize the data set first`,
    )
  }
  return { name, dataType: header.dataType, dims: header.dims, offset }
}

interface Reader {
  readonly source: RandomAccess
  readonly samples: number
  readonly arrays: ReadonlyMap<string, PlacedArray>
  readonly labels: string | null
}

async function* readBatches(
  reader: Reader,
  options: BatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  const { batchSize = 32, offset = 0, limit = Infinity, remainder = 'keep', order } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`batchSize is ${batchSize}, not a positive integer`)
  }
  const inputs = bindings(reader, options.inputs)
  const end = Math.min(order?.length ?? reader.samples, offset + limit)
  for (let at = offset; at < end; at += batchSize) {
    const count = Math.min(batchSize, end - at)
    if (count < batchSize && remainder === 'drop') return
    const rows = { offset: at, count, ...(order && { order }) }
    const batch = await withLabelArrays(
      reader,
      options,
      rows,
      await readBatch(reader, inputs, rows),
    )
    yield remainder === 'pad' ? padBatch(batch, batchSize) : batch
  }
}

function bindings(reader: Reader, inputs?: readonly InputBinding[]): readonly InputBinding[] {
  if (inputs !== undefined) return inputs
  const names = [...reader.arrays.keys()].filter((name) => name !== reader.labels)
  return names.map((name) => ({ input: name, array: name }))
}

interface Rows {
  readonly offset: number
  readonly count: number
  /** The indices of all samples in their order, where that is not the order in which they lie. */
  readonly order?: Uint32Array
}

async function readBatch(
  reader: Reader,
  inputs: readonly InputBinding[],
  rows: Rows,
): Promise<Batch> {
  const feeds: Record<string, RuntimeTensor> = {}
  for (const { input, array, dataType, isWhole } of inputs) {
    const tensor = castFloats(await readRows(reader, array, rows), dataType)
    feeds[input] = isWhole === true ? withoutSampleAxis(tensor) : tensor
  }
  const { offset, count } = rows
  const batch = { feeds, rows: count, count, offset }
  if (reader.labels === null) return batch
  return { ...batch, labels: await readRows(reader, reader.labels, rows) }
}

async function withLabelArrays(
  reader: Reader,
  { labelArrays = [] }: BatchOptions,
  rows: Rows,
  batch: Batch,
): Promise<Batch> {
  if (labelArrays.length === 0) return batch
  const found: Record<string, RuntimeTensor> = {}
  for (const name of labelArrays) found[name] = await readRows(reader, name, rows)
  return { ...batch, labelArrays: found }
}

function withoutSampleAxis({ dims, ...tensor }: RuntimeTensor): RuntimeTensor {
  if (dims[0] !== 1) throw new RangeError(`${dims[0]} samples cannot be one whole input`)
  return { ...tensor, dims: dims.slice(1) }
}

async function readRows(reader: Reader, name: string, rows: Rows): Promise<RuntimeTensor> {
  const array = reader.arrays.get(name)
  if (array === undefined) {
    throw errors.dataset_input_missing(
      `the data set has no array "${name}"; it has ${[...reader.arrays.keys()].join(', ')}`,
      { details: { array: name } },
    )
  }
  const rowBytes = array.dims.slice(1).reduce((a, b) => a * b, itemBytesOf(array.dataType))
  const bytes = await readRowBytes(reader, { at: array.offset, rowBytes }, rows)
  const dims = [rows.count, ...array.dims.slice(1)]
  const { dataType } = array
  return { dataType, dims, data: storedArray({ dataType, dims, data: { kind: 'bytes', bytes } }) }
}

async function readRowBytes(
  { source }: Reader,
  { at, rowBytes }: { readonly at: number; readonly rowBytes: number },
  { offset, count, order }: Rows,
): Promise<Uint8Array> {
  if (order === undefined) return source.read(at + offset * rowBytes, count * rowBytes)
  const gathered = new Uint8Array(count * rowBytes)
  for (let i = 0; i < count;) {
    const first = order[offset + i]!
    let length = 1
    while (i + length < count && order[offset + i + length] === first + length) length++
    gathered.set(await source.read(at + first * rowBytes, length * rowBytes), i * rowBytes)
    i += length
  }
  return gathered
}
