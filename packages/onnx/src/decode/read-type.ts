// TypeProto, TensorShapeProto and ValueInfoProto.
import type { Dimension, MetadataProp, Value, ValueType } from '@pare/graph'
import { dataTypeOfNumber } from '@pare/tensor'

import { codecErrors } from '../errors.js'
import type { WireReader } from '../wire/reader.js'
import { readEntry } from './read-entry.js'

export function readValue(reader: WireReader): Value {
  let name = ''
  let type: ValueType | undefined
  let docString: string | undefined
  const metadataProps: MetadataProp[] = []
  while (reader.next()) {
    if (reader.field === 1) name = reader.text()
    else if (reader.field === 2) type = reader.message('type', -1, readType)
    else if (reader.field === 3) docString = reader.text()
    else if (reader.field === 4) {
      metadataProps.push(reader.message('metadata_props', metadataProps.length, readEntry))
    } else reader.unknown()
  }
  return {
    name,
    ...(type === undefined ? {} : { type }),
    ...(docString === undefined ? {} : { docString }),
    metadataProps,
  }
}

export function readType(reader: WireReader): ValueType {
  let type: ValueType = { kind: 'unknown' }
  let denotation: string | undefined
  while (reader.next()) {
    if (reader.field === 1) type = reader.message('tensor_type', -1, readTensorType('tensor'))
    else if (reader.field === 4) type = reader.message('sequence_type', -1, readElement('sequence'))
    else if (reader.field === 5) type = reader.message('map_type', -1, readMap)
    else if (reader.field === 6) denotation = reader.text()
    else if (reader.field === 7) type = reader.message('opaque_type', -1, readOpaque)
    else if (reader.field === 8) {
      type = reader.message('sparse_tensor_type', -1, readTensorType('sparse_tensor'))
    } else if (reader.field === 9)
      type = reader.message('optional_type', -1, readElement('optional'))
    else reader.unknown()
  }
  return denotation === undefined ? type : { ...type, denotation }
}

function readTensorType(kind: 'tensor' | 'sparse_tensor'): (reader: WireReader) => ValueType {
  return (reader) => {
    let number = 0
    let shape: Dimension[] | undefined
    while (reader.next()) {
      if (reader.field === 1) number = reader.int32()
      else if (reader.field === 2) shape = reader.message('shape', -1, readShape)
      else reader.unknown()
    }
    const withShape = shape === undefined ? {} : { shape }
    if (number === 0) return { kind: 'unknown', container: kind, ...withShape }
    return { kind, elementType: readDataType(reader, number), ...withShape }
  }
}

function readDataType(reader: WireReader, number: number) {
  const dataType = dataTypeOfNumber(number)
  if (dataType !== undefined) return dataType
  throw codecErrors.value_type_invalid(`${reader.place()}: data type ${number} does not exist`)
}

function readShape(reader: WireReader): Dimension[] {
  const shape: Dimension[] = []
  while (reader.next()) {
    if (reader.field === 1) shape.push(reader.message('dim', shape.length, readDimension))
    else reader.unknown()
  }
  return shape
}

function readDimension(reader: WireReader): Dimension {
  let value: Dimension = {}
  let denotation: string | undefined
  while (reader.next()) {
    if (reader.field === 1) value = { size: reader.safeInt64() }
    else if (reader.field === 2) value = { param: reader.text() }
    else if (reader.field === 3) denotation = reader.text()
    else reader.unknown()
  }
  return denotation === undefined ? value : { ...value, denotation }
}

function readElement(kind: 'sequence' | 'optional'): (reader: WireReader) => ValueType {
  return (reader) => {
    let element: ValueType = { kind: 'unknown' }
    while (reader.next()) {
      if (reader.field === 1) element = reader.message('elem_type', -1, readType)
      else reader.unknown()
    }
    return { kind, element }
  }
}

function readMap(reader: WireReader): ValueType {
  let number = 0
  let value: ValueType = { kind: 'unknown' }
  while (reader.next()) {
    if (reader.field === 1) number = reader.int32()
    else if (reader.field === 2) value = reader.message('value_type', -1, readType)
    else reader.unknown()
  }
  return { kind: 'map', keyType: readDataType(reader, number), value }
}

function readOpaque(reader: WireReader): ValueType {
  let domain = ''
  let name = ''
  while (reader.next()) {
    if (reader.field === 1) domain = reader.text()
    else if (reader.field === 2) name = reader.text()
    else reader.unknown()
  }
  return { kind: 'opaque', domain, name }
}
