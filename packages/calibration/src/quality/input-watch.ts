// Looks at the inputs of the model as they stream by: a few numbers per input, whatever the samples.
import type { Batch } from '@pare/datasets'
import type { NumericArray, RuntimeTensor } from '@pare/tensor'

import type { InputSummary } from './data-quality.js'
import { Moments } from './moments.js'
import { hashBytes, SeenRows } from './row-hash.js'

/** More than what the report shows: what diagnostics are made from. */
export interface WatchedInput extends InputSummary {
  readonly dataType: RuntimeTensor['dataType']
  readonly nonFinite: number
  /** Channels of an image that are 0 in every sample, and all of them; absent for what is no image. */
  readonly zeroChannels?: { readonly zero: readonly number[]; readonly of: number }
  /** Values per sample. */
  readonly size: number
}

export class InputWatch {
  private readonly inputs = new Map<string, OneInput>()
  private readonly whole = new SeenRows()
  private count = 0

  add({ feeds, count, rows }: Pick<Batch, 'feeds' | 'count' | 'rows'>): void {
    const hashes = new Float64Array(count)
    for (const [name, tensor] of Object.entries(feeds)) {
      if (tensor.dataType === 'string') continue
      const input = this.inputs.get(name) ?? new OneInput(tensor)
      this.inputs.set(name, input)
      input.add({ tensor, count, rows }, hashes)
    }
    for (const hash of hashes) this.whole.add(hash)
    this.count += count
  }

  get samples(): number {
    return this.count
  }

  /** Samples that equal an earlier one in every input. */
  get duplicates(): number {
    return this.whole.duplicates
  }

  summaries(): readonly WatchedInput[] {
    return [...this.inputs].map(([name, input]) => input.summary(name))
  }
}

interface Rows {
  readonly tensor: RuntimeTensor
  readonly count: number
  readonly rows: number
}

class OneInput {
  private readonly dataType: RuntimeTensor['dataType']
  private readonly moments = new Moments()
  private readonly seen = new SeenRows()
  private readonly channels: ChannelWatch | undefined
  private size = 0

  constructor({ dataType, dims }: RuntimeTensor) {
    this.dataType = dataType
    this.channels = ChannelWatch.of(dims)
  }

  /** Adds to `hashes` what tells the samples apart. */
  add({ tensor, count, rows }: Rows, hashes: Float64Array): void {
    const data = tensor.data as NumericArray
    // An input without a dimension for samples is one sample.
    const size = tensor.dims[0] === rows ? data.length / rows : data.length
    this.size = size
    const bytesPerValue = data.BYTES_PER_ELEMENT
    for (let row = 0; row < count; row++) {
      const start = tensor.dims[0] === rows ? row * size : 0
      const offset = data.byteOffset + start * bytesPerValue
      const hash = hashBytes(new Uint8Array(data.buffer, offset, size * bytesPerValue))
      this.seen.add(hash)
      hashes[row] = (hashes[row]! * 31 + hash) % Number.MAX_SAFE_INTEGER
    }
    const values = data.subarray(0, tensor.dims[0] === rows ? count * size : size)
    // The bits of float16 and bfloat16 are no numbers.
    if (!BITS.has(this.dataType)) this.moments.add(values)
    this.channels?.add(values, size)
  }

  summary(name: string): WatchedInput {
    const { min, max, mean, std, nonFinite } = this.moments
    return {
      ...{ name, min, max, mean, std },
      duplicates: this.seen.duplicates,
      constant: this.seen.allEqual,
      ...{ dataType: this.dataType, nonFinite, size: this.size },
      ...(this.channels === undefined ? {} : { zeroChannels: this.channels.zero() }),
    }
  }
}

const BITS: ReadonlySet<string> = new Set(['float16', 'bfloat16'])

/** Which channels of images have only been 0; of [n, c, h, w, …] or [n, h, w, …, c]. */
class ChannelWatch {
  private readonly empty: Set<number>
  private readonly channels: number
  /** Values of one channel that lie together, and where the next value or run of it is. */
  private readonly run: number
  private readonly stride: number

  private constructor(channels: number, run: number, stride: number) {
    this.channels = channels
    this.empty = new Set(Array.from({ length: channels }, (_, channel) => channel))
    this.run = run
    this.stride = stride
  }

  static of(dims: readonly number[]): ChannelWatch | undefined {
    if (dims.length < 4) return undefined
    const [first, last] = [dims[1]!, dims.at(-1)!]
    const size = dims.slice(1).reduce((a, b) => a * b, 1)
    return last < first
      ? new ChannelWatch(last, 1, last)
      : new ChannelWatch(first, size / first, size)
  }

  /** A channel with any value is not looked at again. */
  add(values: NumericArray, size: number): void {
    for (const channel of this.empty) {
      if (this.hasValue(channel, values.subarray(0, values.length - (values.length % size)))) {
        this.empty.delete(channel)
      }
    }
  }

  private hasValue(channel: number, values: NumericArray): boolean {
    for (let start = channel * this.run; start < values.length; start += this.stride) {
      for (let i = start; i < start + this.run; i++) if (Number(values[i]) !== 0) return true
    }
    return false
  }

  zero(): { readonly zero: readonly number[]; readonly of: number } {
    return { zero: [...this.empty], of: this.channels }
  }
}
