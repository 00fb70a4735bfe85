// A model as it is handed to an evaluation: its bytes, or more where they are too many to be in memory.
import type { Model } from '@pare/graph'
import { decodeModel } from '@pare/onnx'

/** A model whose weights lie in a file. */
export interface StoredModel {
  /** Its external data can be read. */
  readonly model: Model
  /** What a session is made of. */
  readonly session: Uint8Array | { readonly path: string }
  /** The file that is delivered, from its start, piece by piece. */
  readonly pieces: () => AsyncIterable<Uint8Array>
}

export type ModelSource = Uint8Array | StoredModel

export function modelOf(source: ModelSource): Model {
  return source instanceof Uint8Array ? decodeModel(source) : source.model
}

export function sessionSource(source: ModelSource): StoredModel['session'] {
  return source instanceof Uint8Array ? source : source.session
}

const PIECE_BYTES = 1 << 20

export function piecesOf(source: ModelSource): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return source instanceof Uint8Array ? cut(source) : source.pieces()
}

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    yield bytes.subarray(at, at + PIECE_BYTES)
  }
}
