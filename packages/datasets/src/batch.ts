// Samples side by side, as a model runs on them.
import { type DataType, decodeFloat16, encodeFloat16, type RuntimeTensor } from '@pare/tensor'

/** One tensor per input of a model. */
export type Feeds = Readonly<Record<string, RuntimeTensor>>

export interface Batch {
  /** Dims [rows, …], or those of one sample where an input is whole. */
  readonly feeds: Feeds
  /** Dims [count, …], never padded. Absent when the data set has no labels. */
  readonly labels?: RuntimeTensor
  /** Further arrays of labels that were asked for, by their name; as `labels`. */
  readonly labelArrays?: Readonly<Record<string, RuntimeTensor>>
  /** Samples in this batch, without padding. */
  readonly count: number
  /** `count`, or the batch size when padded. */
  readonly rows: number
  /** Place of the first sample in the order in which the samples are read. */
  readonly offset: number
}

export type Batches = AsyncIterable<Batch> | Iterable<Batch>

/** Batches of feeds that are at hand, one after the other: every row of them is a sample. */
export function toBatches(feeds: Iterable<Feeds>): readonly Batch[] {
  const batches: Batch[] = []
  let offset = 0
  for (const one of feeds) {
    const rows = Object.values(one)[0]?.dims[0] ?? 1
    batches.push({ feeds: one, count: rows, rows, offset })
    offset += rows
  }
  return batches
}

/** One row of a tensor as a batch of one: dims [1, …]. The values are a copy. */
export function rowOf(tensor: RuntimeTensor, row: number): RuntimeTensor {
  const { dataType, dims, data } = tensor
  const size = data.length / dims[0]!
  return { dataType, dims: [1, ...dims.slice(1)], data: data.slice(row * size, (row + 1) * size) }
}

/** The batch with its first sample alone. What has no row for each sample stays as it is. */
export function firstRow(feeds: Feeds, rows: number): Feeds {
  return mapFeeds(feeds, (tensor) => (tensor.dims[0] === rows ? rowOf(tensor, 0) : tensor))
}

export function mapFeeds(
  feeds: Feeds,
  change: (tensor: RuntimeTensor, input: string) => RuntimeTensor,
): Feeds {
  const entries = Object.entries(feeds).map(([name, tensor]) => [name, change(tensor, name)])
  return Object.fromEntries(entries) as Feeds
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

/** Fills a batch up to so many rows with its last sample. */
export function padBatch(batch: Batch, rows: number): Batch {
  if (batch.count === rows) return batch
  return { ...batch, rows, feeds: mapFeeds(batch.feeds, (tensor) => padRows(tensor, rows)) }
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
