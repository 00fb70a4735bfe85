// TypeProto, TensorShapeProto and ValueInfoProto.
import { assertNever } from '@pare/errors'
import type { Dimension, Value, ValueType } from '@pare/graph'
import { dataTypeNumber } from '@pare/tensor'

import type { WireWriter } from '../wire/writer.js'
import { writeEntries } from './write-tensor.js'

const CONTAINER_FIELDS = { tensor: 1, sparse_tensor: 8 } as const
const ELEMENT_FIELDS = { sequence: 4, optional: 9 } as const

export function writeValue(value: Value): (w: WireWriter) => void {
  return (w) => {
    w.text(1, value.name)
    if (value.type !== undefined) w.message(2, writeType(value.type))
    if (value.docString !== undefined) w.text(3, value.docString)
    writeEntries(w, 4, value.metadataProps)
  }
}

export function writeType(type: ValueType): (w: WireWriter) => void {
  return (w) => {
    writeKind(w, type)
    if (type.denotation !== undefined) w.text(6, type.denotation)
  }
}

function writeKind(w: WireWriter, type: ValueType): void {
  switch (type.kind) {
    case 'tensor':
    case 'sparse_tensor':
      w.message(CONTAINER_FIELDS[type.kind], () => {
        w.integer(1, dataTypeNumber(type.elementType))
        writeShape(w, type.shape)
      })
      return
    case 'sequence':
    case 'optional':
      w.message(ELEMENT_FIELDS[type.kind], () => w.message(1, writeType(type.element)))
      return
    case 'map':
      w.message(5, () => {
        w.integer(1, dataTypeNumber(type.keyType))
        w.message(2, writeType(type.value))
      })
      return
    case 'opaque':
      w.message(7, () => {
        if (type.domain !== '') w.text(1, type.domain)
        if (type.name !== '') w.text(2, type.name)
      })
      return
    case 'unknown':
      if (type.container === undefined) return
      w.message(CONTAINER_FIELDS[type.container], () => writeShape(w, type.shape))
      return
    default:
      assertNever(type)
  }
}

function writeShape(w: WireWriter, shape: readonly Dimension[] | undefined): void {
  if (shape === undefined) return
  w.message(2, () => {
    for (const dimension of shape) {
      w.message(1, () => {
        if (dimension.size !== undefined) w.integer(1, dimension.size)
        else if (dimension.param !== undefined) w.text(2, dimension.param)
        if (dimension.denotation !== undefined) w.text(3, dimension.denotation)
      })
    }
  })
}
