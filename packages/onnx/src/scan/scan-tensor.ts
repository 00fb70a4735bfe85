/**
 * Tensors: the data must fit the claim. Bytes are counted, never read, except the values of short
 * integer tensors, which are kept to see what shapes a node is asked to make.
 */
import { ELEMENT_TYPES, type ElementType, storedBytes } from './element-types.js'
import { checkExternalData, type ExternalEntries, readExternalEntry } from './external-data.js'
import type { Place } from './place.js'
import { checkText, readMessage, readName, type WireField, wireGuard } from './read-message.js'
import { refuse, type ScanContext } from './scan-context.js'
import type { TensorFacts } from './shape-claim.js'
import { TENSOR } from './wire-schema.js'

/** Longest integer tensor whose values are kept. */
const MAX_KEPT_VALUES = 64
const INT32 = 6
const INT64 = 7

interface TensorFields {
  name: string
  dataType: number
  location: bigint
  readonly dims: bigint[]
  readonly external: ExternalEntries
  /** Data fields that occur, with their entries (raw_data: bytes). */
  readonly data: Map<string, number>
  readonly dataRanges: WireField[]
  stringBytes: number
}

export function scanTensor(context: ScanContext, place: Place): TensorFacts {
  const fields = readFields(context, place)
  const elementType = ELEMENT_TYPES.get(fields.dataType)
  if (elementType === undefined) {
    throw refuse(context, 'tensor_data_type_unknown', place, `data type ${fields.dataType}`)
  }
  const elements = elementCount(context, place, fields.dims)
  const bytes = storedBytes(elementType, elements)
  checkData(context, place, fields, { elementType, elements, bytes })
  context.counts.tensorBytes += bytes + BigInt(fields.stringBytes)
  if (context.counts.tensorBytes > BigInt(context.limits.maxTensorBytes)) {
    const reason = `the tensors up to here exceed ${context.limits.maxTensorBytes} bytes`
    throw refuse(context, 'tensors_too_large', place, reason)
  }
  const ints = keptInts(context, place, fields, elements)
  const facts = { name: fields.name, elementType, dims: fields.dims, elements }
  return ints === undefined ? facts : { ...facts, ints }
}

function readFields(context: ScanContext, place: Place): TensorFields {
  const fields: TensorFields = {
    name: '',
    dataType: 0,
    location: 0n,
    dims: [],
    external: new Map(),
    data: new Map(),
    dataRanges: [],
    stringBytes: 0,
  }
  readMessage(context, TENSOR, place, (field) => {
    switch (field.name) {
      case 'name':
        fields.name = readName(context, field, place)
        return
      case 'dims':
        readInts(context, place, field, { into: fields.dims, limit: context.limits.maxTensorRank })
        {
          checkRank(context, place, fields.dims)
          return
        }
      case 'data_type':
        fields.dataType = Number(field.value)
        return
      case 'data_location':
        fields.location = field.value
        return
      case 'external_data': {
        readExternalEntry(context, field, place, fields.external)
        return
      }
      case 'segment':
        throw refuse(
          context,
          'tensor_data_ambiguous',
          place,
          'tensors in segments are not accepted',
        )
      case 'doc_string':
      case 'metadata_props': {
        checkText(context, field, place)
        return
      }
      default: {
        noteData(context, place, field, fields)
        return
      }
    }
  })
  return fields
}

function noteData(
  context: ScanContext,
  place: Place,
  field: WireField,
  fields: TensorFields,
): void {
  const before = fields.data.get(field.name) ?? 0
  fields.data.set(field.name, before + entriesOf(context, place, field))
  if (field.name === 'string_data') {
    checkText(context, field, place)
    fields.stringBytes += field.end - field.start
  } else if (fields.dataRanges.length < MAX_KEPT_VALUES) fields.dataRanges.push(field)
}

function entriesOf(context: ScanContext, place: Place, field: WireField): number {
  switch (field.name) {
    case 'raw_data':
      return field.end - field.start
    case 'string_data':
      return 1
    case 'float_data':
    case 'double_data':
      return field.scalars
    default:
      return field.scalars === 1
        ? 1
        : wireGuard(context, place, () => context.reader.countVarints(field))
  }
}

/** Appends the values of a scalar or packed varint field, stopping one beyond `limit`. */
export function readInts(
  context: ScanContext,
  place: Place,
  field: WireField,
  { into, limit }: { readonly into: bigint[]; readonly limit: number },
): void {
  if (field.scalars === 1) {
    if (into.length <= limit) into.push(field.value)
    return
  }
  const { reader } = context
  reader.position = field.start
  wireGuard(context, place, () => {
    while (reader.position < field.end && into.length <= limit) {
      reader.readVarint(field.end)
      into.push(reader.int64())
    }
  })
}

export function checkRank(context: ScanContext, place: Place, dims: readonly bigint[]): void {
  if (dims.length <= context.limits.maxTensorRank) return
  const reason = `more than ${context.limits.maxTensorRank} dimensions`
  throw refuse(context, 'tensor_rank_too_large', place, reason)
}

/**
 * The product of the dimensions. Zeros do not hide the others: their product too must be a number
 * that 64-bit arithmetic can hold, since readers multiply in different orders.
 */
export function elementCount(context: ScanContext, place: Place, dims: readonly bigint[]): bigint {
  let elements = 1n
  let nonZero = 1n
  for (const dim of dims) {
    if (dim < 0n) throw refuse(context, 'tensor_dims_invalid', place, `dimension ${dim}`)
    elements *= dim
    if (dim > 0n) nonZero *= dim
    if (nonZero > BigInt(Number.MAX_SAFE_INTEGER)) {
      const reason = `dimensions [${dims.join(', ')}] multiply beyond 2^53`
      throw refuse(context, 'tensor_dims_invalid', place, reason)
    }
  }
  return elements
}

interface Claim {
  readonly elementType: ElementType
  readonly elements: bigint
  readonly bytes: bigint
}

/** Exactly one of: external data, raw_data, the typed field of the data type; nothing if empty. */
function checkData(context: ScanContext, place: Place, fields: TensorFields, claim: Claim): void {
  const { elementType, elements, bytes } = claim
  const isExternal = fields.location === 1n
  const ways = [...fields.data.keys(), ...(fields.external.size > 0 ? ['external_data'] : [])]
  const isConsistent = isExternal ? ways[0] === 'external_data' : !ways.includes('external_data')
  if (ways.length > 1 || !isConsistent || fields.location < 0n || fields.location > 1n) {
    const reason = `data_location ${fields.location} with ${ways.join(' and ') || 'no data'}`
    throw refuse(context, 'tensor_data_ambiguous', place, reason)
  }
  const shape = `${elementType.name} [${fields.dims.join(', ')}]`
  if (isExternal) {
    if (elementType.name === 'string') {
      throw refuse(context, 'tensor_data_ambiguous', place, 'strings cannot be external data')
    }
    checkExternalData(context, place, fields.external, bytes)
    return
  }
  const way = ways[0] ?? elementType.field
  if (way !== elementType.field && (way !== 'raw_data' || elementType.name === 'string')) {
    throw refuse(context, 'tensor_data_ambiguous', place, `${shape} has its data in ${way}`)
  }
  const found = fields.data.get(way) ?? 0
  const needed = way === 'raw_data' ? bytes : typedEntries(elementType, elements)
  if (BigInt(found) !== needed) {
    const unit = way === 'raw_data' ? 'bytes' : 'entries'
    const reason = `${shape} needs ${needed} ${unit} in ${way}, the file has ${found}`
    throw refuse(context, 'tensor_size_mismatch', place, reason)
  }
}

function typedEntries(type: ElementType, elements: bigint): bigint {
  if (type.entriesPerElement >= 1) return elements * BigInt(type.entriesPerElement)
  const perEntry = BigInt(1 / type.entriesPerElement)
  return (elements + perEntry - 1n) / perEntry
}

function keptInts(
  context: ScanContext,
  place: Place,
  fields: TensorFields,
  elements: bigint,
): readonly bigint[] | undefined {
  const { dataType, dims, data, dataRanges } = fields
  if ((dataType !== INT64 && dataType !== INT32) || dims.length > 1) return undefined
  if (elements > MAX_KEPT_VALUES || fields.location !== 0n) return undefined
  if (data.has('raw_data')) return rawInts(context, place, dataRanges, dataType)
  const values: bigint[] = []
  for (const range of dataRanges)
    readInts(context, place, range, { into: values, limit: MAX_KEPT_VALUES })
  return values
}

function rawInts(
  context: ScanContext,
  place: Place,
  ranges: readonly WireField[],
  dataType: number,
): readonly bigint[] {
  const range = ranges[0]
  if (range === undefined) return []
  const bytes = wireGuard(context, place, () => context.reader.copy(range))
  const view = new DataView(bytes.buffer)
  const width = dataType === INT64 ? 8 : 4
  return Array.from({ length: bytes.length / width }, (_, index) =>
    width === 8 ? view.getBigInt64(index * 8, true) : BigInt(view.getInt32(index * 4, true)),
  )
}

/** Refuses bytes that a few bytes of the file would make somebody allocate. */
export function checkClaim(context: ScanContext, place: Place, bytes: bigint): void {
  if (bytes <= BigInt(context.limits.maxClaimBytes)) return
  const reason = `${bytes} bytes are claimed, the limit is ${context.limits.maxClaimBytes}`
  throw refuse(context, 'tensor_claim_too_large', place, reason)
}
