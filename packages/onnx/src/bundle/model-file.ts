/**
 * A model as one file of ours: an .onnx file, or above the limit of protobuf a bundle, a zip of
 * `model.onnx` and `weights.bin` that are stored as they are. A bundle is also an upload that is
 * accepted, and what `unzip` makes of it runs in onnxruntime. The weights of a bundle stay where they
 * are: they are read when somebody asks for their numbers, and onnxruntime maps them into memory.
 */
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename } from 'node:path'

import { mapTensors, type Model } from '@pare/graph'

import { decodeModel } from '../decode/decode-model.js'
import { encodeInlined } from '../encode/encode-model.js'
import type { ExternalData } from '../encode/write-tensor.js'
import { DATA_ALIGNMENT, encodeModelWithExternalData } from '../external-data.js'
import { scanErrors } from '../scan/errors.js'
import { isZip } from '../scan/sniff-format.js'
import { type Chunk, piecesOf } from '../wire/writer.js'
import { DEFAULT_BUNDLE_LIMITS } from './limits.js'
import { fileSource, readRange } from './plain-file.js'
import { writeAt, writeStoredZip } from './stored-zip.js'
import { readZipDirectory, type ZipEntry } from './zip-directory.js'

/** protobuf counts the bytes of a message in 31 bits. */
const MAX_ONNX_BYTES = 2 ** 31 - 1

const MODEL_NAME = 'model.onnx'
const WEIGHTS_NAME = 'weights.bin'

export type ModelFileFormat = 'onnx' | 'bundle'

export interface ModelFile {
  readonly format: ModelFileFormat
  readonly sizeBytes: number
  /**
   * Of a bundle, the weights are external data of the bundle itself: `location` is the name of the
   * file, so a session needs the folder that it lies in. The file must stay there.
   */
  readonly model: Model
  /** The bytes of the file from `start` to `end`. */
  readonly read: (start: number, end: number) => Uint8Array
}

/** True of a file that is an archive, without looking at the rest. */
export function isBundle(path: string): boolean {
  return isZip(readPart(path, 0, Math.min(4, statSync(path).size)))
}

/** Opens a file that `writeModelFile` wrote, here or elsewhere. Throws what the decoder throws. */
export function openModelFile(path: string): ModelFile {
  const sizeBytes = statSync(path).size
  const read = (start: number, end: number) => readPart(path, start, end - start)
  if (!isBundle(path)) {
    return { format: 'onnx', sizeBytes, read, model: decodeModel(readFileSync(path)) }
  }
  const entries = entriesOf(path, sizeBytes)
  const { dataOffset, inflatedBytes } = entryOf(entries, MODEL_NAME)
  const slim = decodeModel(readPart(path, dataOffset, inflatedBytes))
  const model = mapTensors(slim, (tensor) =>
    tensor.data.kind === 'external'
      ? { ...tensor, data: inBundle(tensor.data, path, entryOf(entries, tensor.data.location)) }
      : tensor,
  )
  return { format: 'bundle', sizeBytes, read, model }
}

/** Where the bytes lie in the bundle. */
function inBundle(data: ExternalData, path: string, entry: ZipEntry): ExternalData {
  const { offset, length } = data
  if (offset + length > entry.inflatedBytes) {
    throw scanErrors.external_data_range(`bytes ${offset} to ${offset + length} of ${entry.name}`)
  }
  const start = entry.dataOffset + offset
  return {
    kind: 'external',
    location: basename(path),
    offset: start,
    length,
    read: (from, to) => readPart(path, start + from, to - from),
  }
}

function entriesOf(path: string, size: number): readonly ZipEntry[] {
  const file = openSync(path, 'r')
  try {
    const limits = { ...DEFAULT_BUNDLE_LIMITS, maxInflatedBytes: Infinity }
    return readZipDirectory(fileSource(file, size), limits)
  } finally {
    closeSync(file)
  }
}

function entryOf(entries: readonly ZipEntry[], name: string): ZipEntry {
  const entry = entries.find((candidate) => candidate.name === name)
  if (entry?.method === 'stored') return entry
  throw scanErrors.bundle_archive_invalid(`the bundle has no stored entry ${name}`)
}

/** Opened anew each time: weights are few and large, and so nothing has to be closed. */
function readPart(path: string, offset: number, length: number): Uint8Array {
  const file = openSync(path, 'r')
  try {
    return readRange(file, offset, length)
  } finally {
    closeSync(file)
  }
}

export interface ModelFilePlan {
  readonly format: ModelFileFormat
  /** Writes the new file `path`, streaming; returns its size. It must not exist before. */
  readonly write: (path: string) => number
}

export interface PlanModelFileOptions {
  /** A model that would be larger as one .onnx file becomes a bundle. Default and most: 2 GiB - 1. */
  readonly maxOnnxBytes?: number
}

/**
 * How a model will be written. Throws `tensor_data_not_loaded` for external data that is not at hand,
 * and `model_file_too_large` when what cannot leave the .onnx file exceeds 2 GiB by itself.
 */
export function planModelFile(model: Model, options: PlanModelFileOptions = {}): ModelFilePlan {
  const maxOnnxBytes = Math.min(options.maxOnnxBytes ?? MAX_ONNX_BYTES, MAX_ONNX_BYTES)
  const whole = encodeInlined(model)
  if (sizeOf(whole) <= maxOnnxBytes) {
    return { format: 'onnx', write: (path) => withNewFile(path, (file) => writeAll(file, whole)) }
  }
  const { model: slim, data, dataBytes } = encodeModelWithExternalData(model, WEIGHTS_NAME)
  const slimBytes = sizeOf(slim)
  if (slimBytes > MAX_ONNX_BYTES) {
    throw scanErrors.model_file_too_large(
      `attributes and small tensors have ${slimBytes} bytes, the limit is ${MAX_ONNX_BYTES}`,
    )
  }
  const entries = [
    { name: MODEL_NAME, bytes: slimBytes, pieces: slim },
    { name: WEIGHTS_NAME, bytes: dataBytes, pieces: piecesOf(data), alignment: DATA_ALIGNMENT },
  ]
  const write = (path: string) => withNewFile(path, (file) => writeStoredZip(file, entries))
  return { format: 'bundle', write }
}

function sizeOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
}

function writeAll(file: number, chunks: readonly Chunk[]): number {
  let position = 0
  for (const piece of piecesOf(chunks)) position = writeAt(file, piece, position)
  return position
}

function withNewFile(path: string, write: (file: number) => number): number {
  const file = openSync(path, 'wx', 0o600)
  try {
    return write(file)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}
