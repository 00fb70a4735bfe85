// Weights in files beside the model (TensorProto.external_data).
import { mapTensors, type Model, tensorsOf } from '@pare/graph'
import { byteLengthOf, elementCount, type Tensor, type TensorData } from '@pare/tensor'

import { encodeModelChunks } from './encode/encode-model.js'
import { codecErrors } from './errors.js'
import { scanErrors } from './scan/errors.js'

type External = Extract<TensorData, { readonly kind: 'external' }>

/**
 * Reads `length` bytes from `offset` of the file `location`, a relative path with forward slashes
 * and without `..`. The bytes must not change afterwards.
 */
export type ReadRange = (
  location: string,
  offset: number,
  length: number,
) => Uint8Array | Promise<Uint8Array>

/**
 * The model with all external tensors loaded. Throws `external_data_location` for a path that
 * leaves the model's folder, `external_data_range` for a length that does not fit the tensor, and
 * `external_data_incomplete` where a file is too short.
 */
export async function loadExternalData(model: Model, readRange: ReadRange): Promise<Model> {
  const loaded = new Map<TensorData, TensorData>()
  for (const tensor of tensorsOf(model)) {
    const { data } = tensor
    if (data.kind !== 'external' || loaded.has(data)) continue
    checkExternal(tensor, data)
    const bytes = await readRange(data.location, data.offset, data.length)
    if (bytes.length !== data.length) {
      throw codecErrors.external_data_incomplete(
        `"${data.location}" has ${bytes.length} of ${data.length} bytes at ${data.offset}`,
      )
    }
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    loaded.set(data, { kind: 'bytes', bytes: view })
  }
  if (loaded.size === 0) return model
  return mapTensors(model, (tensor) => {
    const data = loaded.get(tensor.data)
    return data === undefined ? tensor : { ...tensor, data }
  })
}

function checkExternal(tensor: Tensor, data: External): void {
  const parts = data.location.split('/')
  if (/[\\\0]|^[A-Za-z]:|^$/.test(data.location) || parts[0] === '' || parts.includes('..')) {
    throw scanErrors.external_data_location(`"${data.location}" is not inside the model's folder`)
  }
  const needs = byteLengthOf(tensor.dataType, elementCount(tensor.dims))
  if (data.length !== needs) {
    throw scanErrors.external_data_range(
      `${data.length} bytes of "${data.location}" are given for a tensor of ${needs}`,
    )
  }
}

export interface ExternalEncodeOptions {
  /** Initializers of at least this many bytes move out. Default 4096. */
  readonly minBytes?: number
}

export interface EncodedWithExternalData {
  /** The .onnx file, in chunks. */
  readonly model: readonly Uint8Array[]
  /** The file `location`, in chunks: views of the weights and the gaps between them. */
  readonly data: readonly Uint8Array[]
  /** Size of the file `location` in bytes; 0: there is nothing to write. */
  readonly dataBytes: number
}

/** So that a runtime can map the weights into memory (onnx.proto: a multiple of the page size). */
const ALIGNMENT = 4096

/**
 * The model as two files: `location` takes the large initializers, of the bodies of If, Loop and
 * Scan too. Nothing large is copied, and neither file is ever in one buffer: write chunk by chunk.
 * Tensors shared by several initializers are written once.
 */
export function encodeModelWithExternalData(
  model: Model,
  location: string,
  options: ExternalEncodeOptions = {},
): EncodedWithExternalData {
  const minBytes = options.minBytes ?? ALIGNMENT
  const data: Uint8Array[] = []
  const places = new Map<Uint8Array, External>()
  let dataBytes = 0
  const append = (bytes: Uint8Array): External => {
    const gap = (ALIGNMENT - (dataBytes % ALIGNMENT)) % ALIGNMENT
    if (gap > 0) data.push(new Uint8Array(gap))
    const place: External = {
      kind: 'external',
      location,
      offset: dataBytes + gap,
      length: bytes.length,
    }
    data.push(bytes)
    dataBytes += gap + bytes.length
    places.set(bytes, place)
    return place
  }
  const slim = mapTensors(model, (tensor, place) => {
    if (place !== 'initializer' || tensor.data.kind !== 'bytes') return tensor
    const { bytes } = tensor.data
    if (bytes.length < minBytes) return tensor
    return { ...tensor, data: places.get(bytes) ?? append(bytes) }
  })
  return { model: encodeModelChunks(slim), data, dataBytes }
}
