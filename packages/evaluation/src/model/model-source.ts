// A model as it is handed to an evaluation: its bytes, or more where they are too many to be in memory.
import type { Model } from '@pare/graph'
import { decodeModel } from '@pare/onnx'

/** A model whose weights lie in a file. */
export interface StoredModel {
  /** Its external data can be read. */
  readonly model: Model
  /** What a session is made of. */
  readonly session: Uint8Array | { readonly path: string }
  /** Size of the file that is delivered. */
  readonly bytes: number
  /** The bytes of that file from `start` to `end`. */
  readonly read: (start: number, end: number) => Uint8Array
}

export type ModelSource = Uint8Array | StoredModel

export function modelOf(source: ModelSource): Model {
  return source instanceof Uint8Array ? decodeModel(source) : source.model
}

export function sessionSource(source: ModelSource): StoredModel['session'] {
  return source instanceof Uint8Array ? source : source.session
}

export function sizeOf(source: ModelSource): number {
  return source instanceof Uint8Array ? source.byteLength : source.bytes
}

/** The bytes of the file from `start` to `end`. */
export function readSource(source: ModelSource, start: number, end: number): Uint8Array {
  return source instanceof Uint8Array ? source.subarray(start, end) : source.read(start, end)
}
