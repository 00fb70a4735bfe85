// TensorProto: numbers always as raw_data, which needs no conversion of the bytes in memory.
import type { MetadataProp, SparseTensor } from '@pare/graph'
import { dataTypeNumber, errors as tensorErrors, type Tensor, type TensorData } from '@pare/tensor'

import type { LaterBytes, WireWriter } from '../wire/writer.js'

const EXTERNAL = 1

export type ExternalData = Extract<TensorData, { readonly kind: 'external' }>

/** `name` stands for the tensor's own: an initializer's name is its key in the graph. */
export function writeTensor(tensor: Tensor, name = tensor.name ?? ''): (w: WireWriter) => void {
  return (w) => {
    for (const size of tensor.dims) w.integer(1, size)
    w.integer(2, dataTypeNumber(tensor.dataType))
    if (name !== '') w.text(8, name)
    const { data } = tensor
    if (data.kind === 'bytes') w.payload(9, data.bytes)
    else if (data.kind === 'external' && w.inlinesExternalData) w.payload(9, laterBytes(data))
    else if (data.kind === 'strings') for (const text of data.strings) w.payload(6, text)
    if (tensor.docString !== undefined) w.text(12, tensor.docString)
    if (data.kind === 'external' && !w.inlinesExternalData) {
      writeEntries(w, 13, [
        { key: 'location', value: data.location },
        { key: 'offset', value: String(data.offset) },
        { key: 'length', value: String(data.length) },
        ...(data.checksum === undefined ? [] : [{ key: 'checksum', value: data.checksum }]),
        ...(data.otherEntries ?? []),
      ])
      w.integer(14, EXTERNAL)
    }
    writeEntries(w, 16, tensor.metadataProps ?? [])
  }
}

/** External data as bytes to be fetched. Throws `tensor_data_not_loaded`. */
export function laterBytes({ location, length, read }: ExternalData): LaterBytes {
  if (read !== undefined) return { length, read }
  throw tensorErrors.tensor_data_not_loaded(`the external file "${location}" is not at hand`)
}

export function writeSparseTensor(sparse: SparseTensor): (w: WireWriter) => void {
  return (w) => {
    w.message(1, writeTensor(sparse.values, sparse.name))
    w.message(2, writeTensor(sparse.indices))
    for (const size of sparse.dims) w.integer(3, size)
  }
}

/** StringStringEntryProto, repeated. */
export function writeEntries(w: WireWriter, field: number, entries: readonly MetadataProp[]): void {
  for (const { key, value } of entries) {
    w.message(field, () => {
      w.text(1, key)
      w.text(2, value)
    })
  }
}
