import type { DataType } from './data-type.js'

/**
 * The bytes of a tensor: little-endian, row-major, narrow types packed low nibble first (as in
 * `TensorProto.raw_data`). `bytes` may be an unaligned view into a larger buffer and is never
 * written to after creation.
 */
export type TensorData =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'strings'; readonly strings: readonly Uint8Array[] }
  | {
      /** Bytes in a file beside the model; `location` is relative to the model's folder. */
      readonly kind: 'external'
      readonly location: string
      readonly offset: number
      readonly length: number
      /** SHA-1 of the file in hexadecimal, where the model states it. */
      readonly checksum?: string
      /** Further `external_data` entries, which the specification does not know. */
      readonly otherEntries?: readonly { readonly key: string; readonly value: string }[]
      /**
       * Reads the bytes from `start` to `end` of this data, both within `length`, anew each time.
       * Absent where the file is not at hand. Not a part of the model: two tensors that differ in it
       * alone are equal.
       */
      readonly read?: (start: number, end: number) => Uint8Array
    }

/** A constant tensor as it stands in a model. */
export interface Tensor {
  readonly dataType: DataType
  readonly dims: readonly number[]
  readonly data: TensorData
  /** A name of its own, where an attribute's tensor has one; an initializer's name is its key. */
  readonly name?: string
  readonly docString?: string
  readonly metadataProps?: readonly { readonly key: string; readonly value: string }[]
}

export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/**
 * A tensor in motion: what goes into and comes out of a session. float16 and bfloat16 are
 * Uint16Array bit patterns, bool is Uint8Array of 0 and 1, strings are string[].
 */
export interface RuntimeTensor {
  readonly dataType: DataType
  readonly dims: readonly number[]
  readonly data: NumericArray | readonly string[]
}
