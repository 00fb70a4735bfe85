// The .npy format, versions 1 to 3 (numpy/lib/format.py): magic, version, header length, and a
// Python dictionary literal, which is parsed here as data and never evaluated.
import type { DataType } from '@pare/tensor'

import { errors } from './errors.js'
import { type DatasetLimits, DEFAULT_LIMITS } from './limits.js'
import { type Literal, parseLiteral } from './python-literal.js'

export interface NpyHeader {
  readonly dataType: NpyDataType
  readonly dims: readonly number[]
  /** The elements are stored most significant byte first. */
  readonly bigEndian: boolean
  /** Where the elements start. */
  readonly dataOffset: number
  readonly itemBytes: number
  /** Bytes of all elements. */
  readonly dataBytes: number
}

/** numpy's type letters that have an ONNX type. Absent on purpose: c (complex), U and S (text). */
const DTYPES = {
  b1: 'bool',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
} as const satisfies Record<string, DataType>

export type NpyDataType = (typeof DTYPES)[keyof typeof DTYPES]

const DESCR_OF = Object.fromEntries(
  Object.entries(DTYPES).map(([descr, dataType]) => [dataType, descr]),
) as Record<NpyDataType, keyof typeof DTYPES>

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] // \x93NUMPY
/** numpy itself refuses headers of more than 10,000 characters. */
const MAX_HEADER_BYTES = 10_000
export const NPY_PREAMBLE_BYTES = 12

export function isNpy(start: Uint8Array): boolean {
  return MAGIC.every((byte, index) => start[index] === byte)
}

/** Bytes up to the first element, from the first twelve bytes of the file. */
export function npyDataOffset(name: string, start: Uint8Array): number {
  if (start.byteLength < NPY_PREAMBLE_BYTES || !isNpy(start)) {
    throw invalid(name, 'it does not start with the .npy magic bytes: write it with numpy.save')
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  const version = start[6]!
  if (version < 1 || version > 3 || start[7] !== 0) {
    throw invalid(name, `it has .npy format version ${version}.${start[7]!}; 1.0 to 3.0 are known`)
  }
  const lengthBytes = version === 1 ? 2 : 4
  const headerBytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (headerBytes > MAX_HEADER_BYTES) {
    throw invalid(name, `its header claims ${headerBytes} bytes; ${MAX_HEADER_BYTES} are allowed`)
  }
  return 8 + lengthBytes + headerBytes
}

/**
 * Reads the header of the array called `name`; `bytes` reaches at least to its first element.
 * Throws `dataset_array_invalid`, `dataset_dtype_unsupported`, `dataset_order_unsupported` or
 * `dataset_limit_exceeded`.
 */
export function parseNpyHeader(
  name: string,
  bytes: Uint8Array,
  limits: DatasetLimits = DEFAULT_LIMITS,
): NpyHeader {
  const dataOffset = npyDataOffset(name, bytes)
  const headerStart = bytes[6] === 1 ? 10 : 12
  const encoding = bytes[6] === 3 ? 'utf-8' : 'latin1'
  const text = new TextDecoder(encoding).decode(bytes.subarray(headerStart, dataOffset))
  const fields = parseFields(name, text)
  const { dataType, bigEndian } = parseDescr(name, fields['descr'])
  const dims = parseShape(name, fields['shape'], limits)
  if (typeof fields['fortran_order'] !== 'boolean') throw invalid(name, 'fortran_order is no bool')
  if (fields['fortran_order'] && dims.filter((dim) => dim > 1).length > 1) {
    throw errors.dataset_order_unsupported(
      `array "${name}" is stored in Fortran order: save numpy.ascontiguousarray(${name}) instead`,
      { details: { array: name } },
    )
  }
  const itemBytes = Number(DESCR_OF[dataType].slice(1))
  const dataBytes = checkedBytes(name, dims, itemBytes, limits)
  return { dataType, dims, bigEndian, dataOffset, itemBytes, dataBytes }
}

/** A version 1.0 header, padded so that the elements start at a multiple of 64 bytes. */
export function formatNpyHeader(dataType: NpyDataType, dims: readonly number[]): Uint8Array {
  const descr = DESCR_OF[dataType]
  const order = descr.endsWith('1') ? '|' : '<'
  const shape = dims.length === 1 ? `(${dims[0]!},)` : `(${dims.join(', ')})`
  const text = `{'descr': '${order}${descr}', 'fortran_order': False, 'shape': ${shape}, }`
  const padded = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n'
  const bytes = new Uint8Array(10 + padded.length)
  bytes.set([...MAGIC, 1, 0, padded.length & 0xff, padded.length >> 8])
  bytes.set(new TextEncoder().encode(padded), 10)
  return bytes
}

export function itemBytesOf(dataType: NpyDataType): number {
  return Number(DESCR_OF[dataType].slice(1))
}

function parseFields(name: string, text: string): Readonly<Record<string, Literal>> {
  const value = parseLiteral(text)
  if (value === undefined || typeof value !== 'object' || !('dict' in value)) {
    throw invalid(name, 'its header is not a dictionary of plain values')
  }
  const keys = [...value.dict.keys()].sort().join(', ')
  if (keys !== 'descr, fortran_order, shape') {
    throw invalid(name, `its header has the fields "${keys}", not descr, fortran_order and shape`)
  }
  return Object.fromEntries(value.dict)
}

function parseDescr(name: string, descr: Literal | undefined) {
  const match = typeof descr === 'string' ? /^([<>|=])([A-Za-z?])(\d*)$/.exec(descr) : null
  const letters = match ? `${match[2]!}${match[3]!}` : ''
  const dataType = letters in DTYPES ? DTYPES[letters as keyof typeof DTYPES] : undefined
  if (dataType === undefined) throw unsupportedDtype(name, descr)
  return { dataType, bigEndian: match?.[1] === '>' }
}

function unsupportedDtype(name: string, descr: Literal | undefined): Error {
  const text = typeof descr === 'string' ? descr : 'structured'
  const why = text.includes('O')
    ? 'Python objects (a pickle), which is never loaded'
    : /[USa]\d*$/.test(text)
      ? 'text'
      : `dtype ${text}`
  return errors.dataset_dtype_unsupported(
    `array "${name}" holds ${why}: save numbers of the dtype that the model takes, for example ${name}.astype(numpy.float32)`,
    { details: { array: name, descr: text, supported: Object.values(DTYPES) } },
  )
}

function parseShape(name: string, shape: Literal | undefined, limits: DatasetLimits) {
  if (shape === undefined || typeof shape !== 'object' || !('list' in shape)) {
    throw invalid(name, 'its shape is not a tuple')
  }
  const dims = shape.list.filter((dim) => typeof dim === 'number')
  const sound = dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
  if (dims.length !== shape.list.length || !sound) {
    throw invalid(name, 'its shape is not a tuple of sizes')
  }
  if (dims.length > limits.maxRank) {
    throw errors.dataset_limit_exceeded(
      `array "${name}" has ${dims.length} dimensions; ${limits.maxRank} are allowed`,
      { details: { array: name, rank: dims.length, limit: limits.maxRank } },
    )
  }
  return dims
}

/** Sizes are multiplied as BigInt: a shape may claim more elements than a number can count. */
function checkedBytes(
  name: string,
  dims: readonly number[],
  itemBytes: number,
  limits: DatasetLimits,
): number {
  const bytes = dims.reduce((product, dim) => product * BigInt(dim), BigInt(itemBytes))
  if (bytes > BigInt(limits.maxInflatedBytes)) {
    throw errors.dataset_limit_exceeded(
      `array "${name}" of shape [${dims.join(', ')}] takes ${bytes.toString()} bytes; ${limits.maxInflatedBytes} are allowed: send fewer samples`,
      { details: { array: name, dims, bytes: bytes.toString(), limit: limits.maxInflatedBytes } },
    )
  }
  return Number(bytes)
}

function invalid(name: string, why: string): Error {
  return errors.dataset_array_invalid(`array "${name}" cannot be read: ${why}`, {
    details: { array: name },
  })
}
