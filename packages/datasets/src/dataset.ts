// A data set opened for reading by batch. Only the batch asked for is in memory.
import {
  type DataType,
  decodeFloat16,
  encodeFloat16,
  type RuntimeTensor,
  storedArray,
} from '@pare/tensor'

import { type ArraySource, openArrays, type OpenOptions } from './array-source.js'
import type { ArrayDescription } from './description.js'
import { errors } from './errors.js'
import { byName, checkSamples, findLabels } from './inspect.js'
import { DEFAULT_LIMITS } from './limits.js'
import { itemBytesOf } from './npy.js'
import type { RandomAccess } from './random-access.js'

export interface Batch {
  /** One tensor per input, dims [rows, …], or those of one sample where an input is whole. */
  readonly feeds: Readonly<Record<string, RuntimeTensor>>
  /** dims [count, …], never padded. Absent when the data set has no labels. */
  readonly labels?: RuntimeTensor
  /** Samples in this batch, without padding. */
  readonly count: number
  /** `count`, or the batch size when padded. */
  readonly rows: number
  /** Index of the first sample in the data set. */
  readonly offset: number
}

export interface BatchOptions {
  /** Rows per batch. Default 32. */
  readonly batchSize?: number
  /** First sample. Default 0. */
  readonly offset?: number
  /** Most samples to read. Default all. */
  readonly limit?: number
  /** Which array feeds which input. Default: every array but the labels feeds its namesake. */
  readonly inputs?: readonly InputBinding[]
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
  const { batchSize = 32, offset = 0, limit = Infinity, remainder = 'keep' } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`batchSize is ${batchSize}, not a positive integer`)
  }
  const inputs = bindings(reader, options.inputs)
  const end = Math.min(reader.samples, offset + limit)
  for (let at = offset; at < end; at += batchSize) {
    const count = Math.min(batchSize, end - at)
    if (count < batchSize && remainder === 'drop') return
    const batch = await readBatch(reader, inputs, { offset: at, count })
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
  const batch = { feeds, rows: rows.count, ...rows }
  if (reader.labels === null) return batch
  return { ...batch, labels: await readRows(reader, reader.labels, rows) }
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
  const bytes = await reader.source.read(
    array.offset + rows.offset * rowBytes,
    rows.count * rowBytes,
  )
  const dims = [rows.count, ...array.dims.slice(1)]
  const { dataType } = array
  return { dataType, dims, data: storedArray({ dataType, dims, data: { kind: 'bytes', bytes } }) }
}

/**
 * The tensor in the other of float16 and float32 where `dataType` asks for that; else itself. Values
 * are rounded half to even, and those beyond the range of float16 become infinite.
 */
export function castFloats(tensor: RuntimeTensor, dataType: DataType | undefined): RuntimeTensor {
  if (dataType === 'float16' && tensor.dataType === 'float32') {
    return { ...tensor, dataType, data: encodeFloat16(tensor.data as Float32Array) }
  }
  if (dataType === 'float32' && tensor.dataType === 'float16') {
    return { ...tensor, dataType, data: decodeFloat16(tensor.data as Uint16Array) }
  }
  return tensor
}

function padBatch(batch: Batch, rows: number): Batch {
  if (batch.count === rows) return batch
  const feeds = Object.entries(batch.feeds).map(([name, tensor]) => [name, padRows(tensor, rows)])
  return { ...batch, rows, feeds: Object.fromEntries(feeds) as Batch['feeds'] }
}

/** Repeats the last row until there are `rows`. */
function padRows(tensor: RuntimeTensor, rows: number): RuntimeTensor {
  const data = tensor.data as Float32Array // stands for every numeric array: all have these methods
  const count = tensor.dims[0]!
  const rowElements = data.length / count
  const padded = new (data.constructor as Float32ArrayConstructor)(rows * rowElements)
  padded.set(data)
  const last = data.subarray((count - 1) * rowElements)
  for (let row = count; row < rows; row++) padded.set(last, row * rowElements)
  return { ...tensor, dims: [rows, ...tensor.dims.slice(1)], data: padded }
}
