// Weights in files beside the model (TensorProto.external_data).
import { mapTensors, type Model } from '@pare/graph'

import { encodeModelChunks } from './encode/encode-model.js'
import { type ExternalData, laterBytes } from './encode/write-tensor.js'
import type { Chunk } from './wire/writer.js'

export interface ExternalEncodeOptions {
  /** Initializers of at least this many bytes move out. Default 4096. */
  readonly minBytes?: number
}

export interface EncodedWithExternalData {
  /** The .onnx file, in chunks. */
  readonly model: readonly Uint8Array[]
  /** The file `location`, in chunks: views of the weights, the gaps between them, and what is fetched. */
  readonly data: readonly Chunk[]
  /** Size of the file `location` in bytes; 0: there is nothing to write. */
  readonly dataBytes: number
}

/** So that a runtime can map the weights into memory (onnx.proto: a multiple of the page size). */
export const DATA_ALIGNMENT = 4096

/**
 * The model as two files: `location` takes the large initializers, of the bodies of If, Loop and
 * Scan too, and everything that is external already. Nothing large is copied, and neither file is
 * ever in one buffer: write piece by piece (`piecesOf`). Tensors shared by several initializers are
 * written once. Throws `tensor_data_not_loaded` for external data whose file is not at hand.
 */
export function encodeModelWithExternalData(
  model: Model,
  location: string,
  options: ExternalEncodeOptions = {},
): EncodedWithExternalData {
  const minBytes = options.minBytes ?? DATA_ALIGNMENT
  const file = new DataFile(location)
  const slim = mapTensors(model, (tensor, place) => {
    const { data } = tensor
    if (data.kind === 'external') {
      const key = `${data.location}:${data.offset}:${data.length}`
      return { ...tensor, data: file.place(key, laterBytes(data)) }
    }
    if (place !== 'initializer' || data.kind !== 'bytes') return tensor
    if (data.bytes.length < minBytes) return tensor
    return { ...tensor, data: file.place(data.bytes, data.bytes) }
  })
  return { model: encodeModelChunks(slim), data: file.chunks, dataBytes: file.bytes }
}

/** The layout of a file of weights: each begins at a multiple of the alignment, once. */
class DataFile {
  readonly chunks: Chunk[] = []
  bytes = 0
  readonly #location: string
  readonly #places = new Map<Uint8Array | string, ExternalData>()

  constructor(location: string) {
    this.#location = location
  }

  place(key: Uint8Array | string, chunk: Chunk): ExternalData {
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const gap = (DATA_ALIGNMENT - (this.bytes % DATA_ALIGNMENT)) % DATA_ALIGNMENT
    if (gap > 0) this.chunks.push(new Uint8Array(gap))
    this.chunks.push(chunk)
    const offset = this.bytes + gap
    this.bytes = offset + chunk.length
    const place: ExternalData = {
      kind: 'external',
      location: this.#location,
      offset,
      length: chunk.length,
    }
    this.#places.set(key, place)
    return place
  }
}
