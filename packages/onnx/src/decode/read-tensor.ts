// TensorProto. raw_data, float_data and double_data are bytes already and stay views of the file;
// integer fields are varints and become bytes here.
import type { MetadataProp, SparseTensor } from '@pare/graph'
import {
  bitsOf,
  byteLengthOf,
  type DataType,
  dataTypeOfNumber,
  elementCount,
  pack,
  type Tensor,
  type TensorData,
} from '@pare/tensor'

import { codecErrors } from '../errors.js'
import { scanErrors } from '../scan/errors.js'
import type { Range, WireReader } from '../wire/reader.js'
import { countVarints, packVarints } from '../wire/varints.js'
import { readEntry } from './read-entry.js'

type TypedField = 'float_data' | 'int32_data' | 'int64_data' | 'double_data' | 'uint64_data'

/** What the fields of a TensorProto said. */
interface TensorFields {
  readonly dims: number[]
  dataType: number
  name: string
  docString: string | undefined
  raw: Uint8Array | undefined
  readonly typed: Map<TypedField, Range[]>
  readonly strings: Uint8Array[]
  readonly externalData: MetadataProp[]
  isExternal: boolean
  readonly metadataProps: MetadataProp[]
}

export function readTensor(reader: WireReader): Tensor {
  const fields: TensorFields = {
    dims: [],
    dataType: 0,
    name: '',
    docString: undefined,
    raw: undefined,
    typed: new Map(),
    strings: [],
    externalData: [],
    isExternal: false,
    metadataProps: [],
  }
  while (reader.next()) readField(reader, fields)
  const dataType = dataTypeOfNumber(fields.dataType)
  if (dataType === undefined) {
    throw scanErrors.tensor_data_type_unknown(
      `${reader.place()}: tensor "${fields.name}" has data type ${fields.dataType}`,
    )
  }
  checkDims(reader, fields)
  return {
    dataType,
    dims: fields.dims,
    data: readData(reader, fields, dataType),
    ...(fields.name === '' ? {} : { name: fields.name }),
    ...(fields.docString === undefined ? {} : { docString: fields.docString }),
    ...(fields.metadataProps.length === 0 ? {} : { metadataProps: fields.metadataProps }),
  }
}

function readField(reader: WireReader, fields: TensorFields): void {
  switch (reader.field) {
    case 1: {
      reader.safeInt64s(fields.dims)
      return
    }
    case 2:
      fields.dataType = reader.int32()
      return
    case 3:
      throw codecErrors.tensor_segment_unsupported(`${reader.place()}: "${fields.name}"`)
    case 4: {
      addRange(fields, 'float_data', reader.fixed(4))
      return
    }
    case 5: {
      addRange(fields, 'int32_data', reader.varints())
      return
    }
    case 6:
      fields.strings.push(reader.payload())
      return
    case 7: {
      addRange(fields, 'int64_data', reader.varints())
      return
    }
    case 8:
      fields.name = reader.text()
      return
    case 9:
      fields.raw = reader.payload()
      return
    case 10: {
      addRange(fields, 'double_data', reader.fixed(8))
      return
    }
    case 11: {
      addRange(fields, 'uint64_data', reader.varints())
      return
    }
    case 12:
      fields.docString = reader.text()
      return
    case 13:
      fields.externalData.push(
        reader.message('external_data', fields.externalData.length, readEntry),
      )
      return
    case 14:
      fields.isExternal = reader.int32() === 1
      return
    case 16:
      fields.metadataProps.push(
        reader.message('metadata_props', fields.metadataProps.length, readEntry),
      )
      return
    default:
      reader.unknown()
  }
}

function addRange(fields: TensorFields, field: TypedField, range: Range): void {
  if (range.start === range.end) return
  const ranges = fields.typed.get(field)
  if (ranges === undefined) fields.typed.set(field, [range])
  else ranges.push(range)
}

function checkDims(reader: WireReader, { dims, name }: TensorFields): void {
  if (dims.some((size) => size < 0)) {
    throw scanErrors.tensor_dims_invalid(
      `${reader.place()}: tensor "${name}" has dimensions [${dims.join(', ')}]`,
    )
  }
}

function readData(reader: WireReader, fields: TensorFields, dataType: DataType): TensorData {
  if (fields.isExternal) return externalData(reader, fields, dataType)
  const count = elementCount(fields.dims)
  if (dataType === 'string') {
    checkSize(reader, fields, { has: fields.strings.length, needs: count, unit: 'strings' })
    checkUnambiguous(reader, fields, fields.raw === undefined && fields.typed.size === 0)
    return { kind: 'strings', strings: fields.strings }
  }
  const bytes = fields.raw ?? typedBytes(reader, fields, dataType)
  const typedFields = fields.typed.size + (fields.strings.length > 0 ? 1 : 0)
  const isEmptyRaw = fields.raw?.length === 0
  checkUnambiguous(reader, fields, fields.raw === undefined || typedFields === 0)
  if (isEmptyRaw && count > 0 && typedFields === 0) {
    throw sizeMismatch(reader, fields, 'no data')
  }
  checkSize(reader, fields, {
    has: bytes.length,
    needs: byteLengthOf(dataType, count),
    unit: 'bytes',
  })
  return { kind: 'bytes', bytes }
}

/** The field that holds each data type when raw_data does not (onnx.proto, TensorProto). */
function typedFieldOf(dataType: DataType): TypedField {
  switch (dataType) {
    case 'float32':
    case 'complex64':
      return 'float_data'
    case 'float64':
    case 'complex128':
      return 'double_data'
    case 'int64':
      return 'int64_data'
    case 'uint32':
    case 'uint64':
      return 'uint64_data'
    default:
      return 'int32_data'
  }
}

function typedBytes(reader: WireReader, fields: TensorFields, dataType: DataType): Uint8Array {
  const field = typedFieldOf(dataType)
  const ranges = fields.typed.get(field) ?? []
  checkUnambiguous(reader, fields, fields.typed.size === ranges.length || fields.typed.size <= 1)
  if (fields.typed.size > 0 && ranges.length === 0) {
    const [other] = fields.typed.keys()
    throw scanErrors.tensor_data_ambiguous(
      `${reader.place()}: ${dataType} tensor "${fields.name}" has its data in ${other}`,
    )
  }
  if (field === 'float_data' || field === 'double_data') return joinRanges(reader.bytes, ranges)
  const place = reader.place()
  const count = countVarints(reader.bytes, ranges, place)
  const width = entryWidth(dataType)
  const packed = packVarints(reader.bytes, ranges, { width, count, place })
  // Six-bit floats are the one packed type that takes a whole entry per element.
  if (dataType === 'float6e2m3' || dataType === 'float6e3m2') return pack(dataType, packed)
  return packed
}

function entryWidth(dataType: DataType): 1 | 2 | 4 | 8 {
  const bits = bitsOf(dataType)
  return bits <= 8 ? 1 : bits === 16 ? 2 : bits === 32 ? 4 : 8
}

function joinRanges(bytes: Uint8Array, ranges: readonly Range[]): Uint8Array {
  const [only, ...others] = ranges
  if (only === undefined) return new Uint8Array(0)
  if (others.length === 0) return bytes.subarray(only.start, only.end)
  const joined = new Uint8Array(ranges.reduce((sum, { start, end }) => sum + end - start, 0))
  let out = 0
  for (const { start, end } of ranges) {
    joined.set(bytes.subarray(start, end), out)
    out += end - start
  }
  return joined
}

function checkUnambiguous(reader: WireReader, fields: TensorFields, isUnambiguous: boolean): void {
  if (isUnambiguous) return
  throw scanErrors.tensor_data_ambiguous(
    `${reader.place()}: tensor "${fields.name}" has data in more than one field`,
  )
}

function checkSize(
  reader: WireReader,
  fields: TensorFields,
  size: { readonly has: number; readonly needs: number; readonly unit: string },
): void {
  if (size.has === size.needs) return
  throw sizeMismatch(reader, fields, `${size.has} of ${size.needs} ${size.unit}`)
}

function sizeMismatch(reader: WireReader, fields: TensorFields, has: string): Error {
  return scanErrors.tensor_size_mismatch(
    `${reader.place()}: tensor "${fields.name}" of shape [${fields.dims.join(', ')}] has ${has}`,
  )
}

function externalData(reader: WireReader, fields: TensorFields, dataType: DataType): TensorData {
  const entries = new Map<string, string>()
  for (const { key, value } of fields.externalData) {
    if (entries.has(key)) {
      throw scanErrors.external_data_key(`${reader.place()}: key "${key}" is given twice`)
    }
    entries.set(key, value)
  }
  const location = entries.get('location')
  if (location === undefined) {
    throw scanErrors.external_data_location(
      `${reader.place()}: tensor "${fields.name}" is external but has no location`,
    )
  }
  const size = (key: string, fallback: () => number) => {
    const text = entries.get(key)
    if (text === undefined) return fallback()
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw scanErrors.external_data_range(`${reader.place()}: ${key} "${text}" is not a size`)
    }
    return value
  }
  const checksum = entries.get('checksum')
  const known = ['location', 'offset', 'length', 'checksum']
  const otherEntries = fields.externalData.filter(({ key }) => !known.includes(key))
  return {
    kind: 'external',
    location,
    offset: size('offset', () => 0),
    length: size('length', () => byteLengthOf(dataType, elementCount(fields.dims))),
    ...(checksum === undefined ? {} : { checksum }),
    ...(otherEntries.length === 0 ? {} : { otherEntries }),
  }
}

export function readSparseTensor(reader: WireReader): SparseTensor {
  let values: Tensor | undefined
  let indices: Tensor | undefined
  const dims: number[] = []
  while (reader.next()) {
    if (reader.field === 1) values = reader.message('values', -1, readTensor)
    else if (reader.field === 2) indices = reader.message('indices', -1, readTensor)
    else if (reader.field === 3) reader.safeInt64s(dims)
    else reader.unknown()
  }
  if (values === undefined || indices === undefined) {
    throw scanErrors.tensor_size_mismatch(`${reader.place()}: a sparse tensor lacks its values`)
  }
  return { name: values.name ?? '', values, indices, dims }
}
