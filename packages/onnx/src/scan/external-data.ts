/**
 * External data: which keys a tensor may carry and where they may point. An upload may only name
 * files that came with it, by plain names, inside their bounds (CVE-2022-25882, CVE-2024-27318,
 * CVE-2026-34445 and onnxruntime's in-memory marker are the reasons).
 */
import type { Place } from './place.js'
import { printable } from './place.js'
import { checkText, readMessage, readName, type WireField } from './read-message.js'
import { child, refuse, type ScanContext } from './scan-context.js'
import { STRING_ENTRY } from './wire-schema.js'

const ACCEPTED_KEYS = new Set(['location', 'offset', 'length', 'checksum'])
const MEMBER_NAME = /^[A-Za-z0-9._-]{1,128}$/
const IN_MEMORY_MARKER = '_ORT_MEM_ADDR_'

/** True for a name that a file of an upload may have: no folders, no `.` or `..`. */
export function isMemberName(name: string): boolean {
  return MEMBER_NAME.test(name) && name !== '.' && name !== '..'
}

export type ExternalEntries = Map<string, string>

/** Reads one external_data entry into `entries`. */
export function readExternalEntry(
  context: ScanContext,
  field: WireField,
  tensorPlace: Place,
  entries: ExternalEntries,
): void {
  const place = child(tensorPlace, 'external_data', field, { index: field.index, nameField: 1 })
  let key = ''
  let value = ''
  readMessage(context, STRING_ENTRY, place, (entry) => {
    checkText(context, entry, place)
    if (entry.name === 'key') key = readName(context, entry, place)
    else value = readName(context, entry, place)
  })
  if (!ACCEPTED_KEYS.has(key)) {
    const accepted = [...ACCEPTED_KEYS].join(', ')
    const reason = `key '${printable(key)}' is not one of ${accepted}`
    throw refuse(context, 'external_data_key', place, reason)
  }
  if (entries.has(key)) {
    throw refuse(context, 'external_data_key', place, `key '${key}' is given twice`)
  }
  entries.set(key, value)
}

/** Checks the entries of one tensor and notes the file as used. `bytes` is what the tensor needs. */
export function checkExternalData(
  context: ScanContext,
  place: Place,
  entries: ExternalEntries,
  bytes: bigint,
): void {
  const location = entries.get('location') ?? ''
  const memberBytes = findMember(context, place, location)
  const offset = readCount(context, place, entries, 'offset') ?? 0n
  const length = readCount(context, place, entries, 'length') ?? bytes
  if (length !== bytes) {
    const reason = `the external length is ${length}, type and dimensions need ${bytes} bytes`
    throw refuse(context, 'tensor_size_mismatch', place, reason)
  }
  if (offset + length > memberBytes) {
    const reason = `bytes ${offset} to ${offset + length} lie outside ${location} (${memberBytes} bytes)`
    throw refuse(context, 'external_data_range', place, reason)
  }
  context.counts.membersUsed.add(location)
}

function findMember(context: ScanContext, place: Place, location: string): bigint {
  const shown = printable(location)
  if (location.includes(IN_MEMORY_MARKER)) {
    throw refuse(context, 'external_data_in_memory', place, `location '${shown}'`)
  }
  if (!isMemberName(location)) {
    const reason = `location '${shown}' is not a plain file name (letters, digits, '.', '_', '-')`
    throw refuse(context, 'external_data_location', place, reason)
  }
  const size = context.members.get(location)
  if (size === undefined) {
    const reason = `'${shown}' was not uploaded with the model; upload both in one .zip`
    throw refuse(context, 'external_data_missing', place, reason)
  }
  return BigInt(size)
}

function readCount(
  context: ScanContext,
  place: Place,
  entries: ExternalEntries,
  key: 'offset' | 'length',
): bigint | undefined {
  const text = entries.get(key)
  if (text === undefined) return undefined
  if (!/^\d{1,18}$/.test(text)) {
    const reason = `${key} '${printable(text)}' is not a non-negative number`
    throw refuse(context, 'external_data_range', place, reason)
  }
  return BigInt(text)
}
