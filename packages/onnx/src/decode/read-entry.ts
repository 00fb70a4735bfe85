// StringStringEntryProto and OperatorSetIdProto: the small records that many messages hold.
import type { MetadataProp, OpsetImport } from '@pare/graph'

import type { WireReader } from '../wire/reader.js'

export function readEntry(reader: WireReader): MetadataProp {
  let key = ''
  let value = ''
  while (reader.next()) {
    if (reader.field === 1) key = reader.text()
    else if (reader.field === 2) value = reader.text()
    else reader.unknown()
  }
  return { key, value }
}

export function readOpsetImport(reader: WireReader): OpsetImport {
  let domain = ''
  let version = 0
  while (reader.next()) {
    if (reader.field === 1) domain = normalizeDomain(reader.text())
    else if (reader.field === 2) version = reader.safeInt64()
    else reader.unknown()
  }
  return { domain, version }
}

/** `ai.onnx` is the long name of the default domain. */
export function normalizeDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}
