/**
 * Walks the fields of one message by its table. Everything that two protobuf readers could
 * understand differently is refused here: unknown fields, wrong wire types, groups, a singular
 * field given twice (readers merge or take the last), lengths beyond the parent.
 */
import type { ScanErrorCode } from './errors.js'
import { type Place, printable } from './place.js'
import { refuse, type ScanContext } from './scan-context.js'
import { type ByteRange, WireError, type WireFault } from './wire-reader.js'
import type { FieldRule, MessageSchema } from './wire-schema.js'

export interface WireField extends ByteRange {
  readonly name: string
  /** How many fields of this name came before it in the message. */
  readonly index: number
  /** The value of a varint field. */
  readonly value: bigint
  /** Scalars held by the field: 1, or as many as a packed payload has. */
  readonly scalars: number
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const
const FIXED_BYTES = { fixed32: 4, fixed64: 8 } as const

export function readMessage(
  context: ScanContext,
  schema: MessageSchema,
  place: Place,
  onField: (field: WireField) => void,
): void {
  const { reader, counts, limits } = context
  const { end } = place.range
  // By field number: how often the field occurred.
  const seen: number[] = []
  reader.position = place.range.start
  while (reader.position < end) {
    counts.fields += 1
    if (counts.fields > limits.maxFields) {
      throw refuse(context, 'model_too_complex', place, `more than ${limits.maxFields} fields`)
    }
    const rule = readTag(context, schema, place)
    const index = seen[rule.number] ?? 0
    if (index > 0 && rule.rule.count === undefined) {
      throw refuse(context, 'duplicate_field', place, `field ${rule.rule.name} occurs twice`)
    }
    seen[rule.number] = index + 1
    const field = wireGuard(context, place, () => readPayload(context, rule, end, index))
    onField(field)
    reader.position = field.end
  }
}

interface TaggedRule {
  readonly rule: FieldRule
  readonly number: number
  readonly wire: number
}

function readTag(context: ScanContext, schema: MessageSchema, place: Place): TaggedRule {
  const { reader } = context
  const at = reader.position
  const tag = wireGuard(context, place, () => {
    reader.readVarint(place.range.end)
    if (reader.unsigned() < 8) throw new WireError('field_number_zero', at)
    return reader.unsigned()
  })
  const wire = tag % 8
  const number = Math.floor(tag / 8)
  if (wire === 3 || wire === 4 || wire > 5) {
    const what = wire > 5 ? `wire type ${wire}` : 'a group'
    throw refuse(context, 'wire_type_unsupported', place, `${what} at byte ${at}`)
  }
  const rule = schema.get(number)
  if (rule === undefined) {
    throw refuse(context, 'unknown_field', place, `field number ${number} at byte ${at}`)
  }
  const packed = rule.count === 'packed' && wire === WIRE.bytes
  if (wire !== WIRE[rule.encoding] && !packed) {
    const reason = `field ${rule.name} at byte ${at} has wire type ${wire}`
    throw refuse(context, 'wire_type_mismatch', place, reason)
  }
  return { rule, number, wire }
}

function readPayload(
  { reader }: ScanContext,
  { rule, wire }: TaggedRule,
  end: number,
  index: number,
): WireField {
  const { name, encoding } = rule
  if (wire === WIRE.bytes) {
    const range = reader.readLength(end)
    return { name, index, value: 0n, scalars: packedScalars(rule, range), ...range }
  }
  const start = reader.position
  if (encoding === 'varint') {
    reader.readVarint(end)
    return { name, index, value: reader.int64(), scalars: 1, start, end: reader.position }
  }
  const stop = start + FIXED_BYTES[encoding as 'fixed32' | 'fixed64']
  if (stop > end) throw new WireError('overrun', start)
  return { name, index, value: 0n, scalars: 1, start, end: stop }
}

/** Scalars of a packed fixed-width payload; of packed varints the reader has to count them. */
function packedScalars(rule: FieldRule, range: ByteRange): number {
  if (rule.count !== 'packed' || rule.encoding === 'varint') return 0
  const width = FIXED_BYTES[rule.encoding as 'fixed32' | 'fixed64']
  const count = (range.end - range.start) / width
  if (!Number.isInteger(count)) throw new WireError('overrun', range.start)
  return count
}

const FAULTS = {
  overrun: ['protobuf_malformed', 'a payload does not fit the message around it'],
  varint_too_long: ['varint_invalid', 'an integer takes more than 64 bits'],
  varint_not_minimal: ['varint_invalid', 'an integer is padded with empty bytes'],
  field_number_zero: ['protobuf_malformed', 'a field has the number 0'],
} as const satisfies Record<WireFault, readonly [ScanErrorCode, string]>

/** Runs a read and gives its encoding faults a code and a place. */
export function wireGuard<T>(context: ScanContext, place: Place, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    // Beyond the outermost message there is nothing: the file was cut.
    const isCut = error.fault === 'overrun' && place.parent === undefined
    const [code, reason] = isCut
      ? (['model_truncated', 'the file ends in the middle of a field'] as const)
      : FAULTS[error.fault]
    throw refuse(context, code, place, `${reason} (byte ${error.offset})`)
  }
}

/** A short text field: UTF-8, without control characters, at most `maxNameBytes` long. */
export function readName(context: ScanContext, field: WireField, place: Place): string {
  const length = field.end - field.start
  if (length > context.limits.maxNameBytes) {
    const reason = `${field.name} has ${length} bytes, the limit is ${context.limits.maxNameBytes}`
    throw refuse(context, 'string_too_long', place, reason)
  }
  const bytes = wireGuard(context, place, () => context.reader.view(field))
  if (isPlainAscii(bytes)) return String.fromCharCode(...bytes)
  const text = decodeUtf8(bytes)
  if (text === undefined) {
    throw refuse(context, 'invalid_text', place, `${field.name} is not valid UTF-8`)
  }

  if (/[\u0000-\u001f\u007f]/.test(text)) {
    const reason = `${field.name} '${printable(text)}' holds control characters`
    throw refuse(context, 'invalid_text', place, reason)
  }
  return text
}

/** Documentation and metadata are stepped over; only their size counts. */
export function checkText(context: ScanContext, field: WireField, place: Place): void {
  const length = field.end - field.start
  if (length > context.limits.maxTextBytes) {
    const reason = `${field.name} has ${length} bytes, the limit is ${context.limits.maxTextBytes}`
    throw refuse(context, 'string_too_long', place, reason)
  }
}

const LONGEST_PLAIN_NAME = 256

/** Nearly all names are short and plain; they need no decoder. */
function isPlainAscii(bytes: Uint8Array): boolean {
  return bytes.length <= LONGEST_PLAIN_NAME && bytes.every((byte) => byte >= 0x20 && byte < 0x7f)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    // TextDecoder's only fault here is invalid UTF-8, which the caller reports with a place.
    return undefined
  }
}
