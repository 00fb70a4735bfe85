// One pass over the elements of an array: range, NaN, infinities, and a fingerprint per sample.
import { createHash } from 'node:crypto'

import { type NumericArray, toNumbers } from '@pare/tensor'

import type { ArraySource } from './array-source.js'

export interface ArrayStatistics {
  /** Over the finite elements; 0 when there are none. */
  readonly min: number
  readonly max: number
  readonly nanCount: number
  /** Index of the first sample with a NaN; absent when there is none. */
  readonly firstNanSample?: number
  readonly infinityCount: number
  readonly allIntegers: boolean
}

const FINGERPRINT_BYTES = 8

/**
 * Fingerprints of all samples, eight bytes each, mixed over all arrays that were added: equal
 * samples have equal fingerprints. Two different ones of a million agree with probability 3e-8.
 */
export interface SampleFingerprints {
  readonly bytes: Uint8Array
}

export function createFingerprints(samples: number): SampleFingerprints {
  return { bytes: new Uint8Array(samples * FINGERPRINT_BYTES) }
}

/** Number of samples that repeat an earlier one. */
export function countDuplicates({ bytes }: SampleFingerprints): number {
  const values = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)
  return values.length - new Set(values).size
}

/** Reads the whole array once, holding one piece and one sample of it at most. */
export async function measureArray(
  array: ArraySource,
  fingerprints?: SampleFingerprints,
): Promise<ArrayStatistics> {
  const statistics = new StatisticsAccumulator(array)
  const hasher = fingerprints && new SampleHasher(array, fingerprints)
  for await (const piece of array.elements()) {
    statistics.add(piece)
    hasher?.add(piece)
  }
  return statistics.finish()
}

class StatisticsAccumulator {
  readonly #array: ArraySource
  readonly #elementsPerSample: number
  #done = 0
  #min = Infinity
  #max = -Infinity
  #nanCount = 0
  #firstNan = -1
  #infinityCount = 0
  #allIntegers = true

  constructor(array: ArraySource) {
    this.#array = array
    this.#elementsPerSample = array.header.dims.slice(1).reduce((a, b) => a * b, 1)
  }

  add(piece: Uint8Array): void {
    const { dataType, itemBytes } = this.#array.header
    const count = piece.byteLength / itemBytes
    const values = toNumbers({ dataType, dims: [count], data: { kind: 'bytes', bytes: piece } })
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      for (const value of values) this.#addFinite(Number(value))
    } else {
      this.#addNumbers(values)
    }
    this.#done += count
  }

  #addNumbers(values: Exclude<NumericArray, BigInt64Array | BigUint64Array>): void {
    for (let index = 0; index < values.length; index++) {
      const value = values[index]!
      if (Number.isFinite(value)) {
        this.#addFinite(value)
      } else if (Number.isNaN(value)) {
        if (this.#firstNan < 0) this.#firstNan = this.#done + index
        this.#nanCount++
      } else {
        this.#infinityCount++
      }
    }
  }

  #addFinite(value: number): void {
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    if (this.#allIntegers && !Number.isInteger(value)) this.#allIntegers = false
  }

  finish(): ArrayStatistics {
    const isEmpty = this.#min > this.#max
    return {
      min: isEmpty ? 0 : this.#min,
      max: isEmpty ? 0 : this.#max,
      nanCount: this.#nanCount,
      ...(this.#firstNan < 0
        ? {}
        : { firstNanSample: Math.floor(this.#firstNan / this.#elementsPerSample) }),
      infinityCount: this.#infinityCount,
      allIntegers: this.#allIntegers,
    }
  }
}

/** Hashes each sample together with what earlier arrays left in its fingerprint. */
class SampleHasher {
  readonly #fingerprints: Uint8Array
  readonly #sampleBytes: number
  #hash = createHash('sha256')
  #sample = 0
  #filled = 0

  constructor(array: ArraySource, fingerprints: SampleFingerprints) {
    this.#fingerprints = fingerprints.bytes
    this.#sampleBytes = array.header.dataBytes / array.header.dims[0]!
    this.#begin()
  }

  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.byteLength;) {
      const part = piece.subarray(at, at + this.#sampleBytes - this.#filled)
      this.#hash.update(part)
      this.#filled += part.byteLength
      at += part.byteLength
      if (this.#filled === this.#sampleBytes) this.#end()
    }
  }

  #slot(): Uint8Array {
    const start = this.#sample * FINGERPRINT_BYTES
    return this.#fingerprints.subarray(start, start + FINGERPRINT_BYTES)
  }

  #begin(): void {
    this.#hash = createHash('sha256').update(this.#slot())
    this.#filled = 0
  }

  #end(): void {
    this.#slot().set(this.#hash.digest().subarray(0, FINGERPRINT_BYTES))
    this.#sample++
    this.#begin()
  }
}
