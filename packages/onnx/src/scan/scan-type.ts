/** Types of graph inputs, outputs and inner values: bounded in depth, rank and claimed size. */
import { ELEMENT_TYPES, storedBytes } from './element-types.js'
import { partOf, type Place } from './place.js'
import { checkText, readMessage, readName } from './read-message.js'
import { refuse, type ScanContext } from './scan-context.js'
import { checkClaim, elementCount } from './scan-tensor.js'
import {
  DIMENSION,
  ELEMENT_TYPE,
  MAP_TYPE,
  SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from './wire-schema.js'

/** Scans a ValueInfoProto and returns its name. */
export function scanValueInfo(context: ScanContext, place: Place): string {
  let name = ''
  readMessage(context, VALUE_INFO, place, (field) => {
    if (field.name === 'name') name = readName(context, field, place)
    else if (field.name === 'type') scanType(context, partOf(place, field), 1)
    else checkText(context, field, place)
  })
  return name
}

export function scanType(context: ScanContext, place: Place, depth: number): void {
  if (depth > context.limits.maxDepth) {
    const reason = `types are nested more than ${context.limits.maxDepth} deep`
    throw refuse(context, 'model_too_deep', place, reason)
  }
  readMessage(context, TYPE, place, (field) => {
    switch (field.name) {
      case 'tensor_type':
      case 'sparse_tensor_type': {
        scanTensorType(context, partOf(place, field))
        return
      }
      case 'sequence_type':
      case 'optional_type': {
        readMessage(context, ELEMENT_TYPE, partOf(place, field), (inner) =>
          scanType(context, partOf(place, inner), depth + 1),
        )
        return
      }
      case 'map_type': {
        readMessage(context, MAP_TYPE, partOf(place, field), (inner) => {
          if (inner.name === 'value_type') scanType(context, partOf(place, inner), depth + 1)
        })
        return
      }
      default: {
        checkText(context, field, place)
        return
      }
    }
  })
}

function scanTensorType(context: ScanContext, place: Place): void {
  let dataType = 0
  const dims: bigint[] = []
  readMessage(context, TENSOR_TYPE, place, (field) => {
    if (field.name === 'elem_type') dataType = Number(field.value)
    else readShape(context, partOf(place, field), dims)
  })
  // An unknown type (0) is left open by some exporters for inner values; it claims nothing.
  const elementType = ELEMENT_TYPES.get(dataType)
  if (elementType === undefined && dataType !== 0) {
    throw refuse(context, 'tensor_data_type_unknown', place, `data type ${dataType}`)
  }
  const elements = elementCount(context, place, dims)
  if (elementType !== undefined) checkClaim(context, place, storedBytes(elementType, elements))
}

/** Collects the fixed dimensions. Named and negative ones (old exporters' unknown) count as 1. */
function readShape(context: ScanContext, place: Place, dims: bigint[]): void {
  readMessage(context, SHAPE, place, (field) => {
    if (field.index >= context.limits.maxTensorRank) {
      const reason = `more than ${context.limits.maxTensorRank} dimensions`
      throw refuse(context, 'tensor_rank_too_large', place, reason)
    }
    readMessage(context, DIMENSION, partOf(place, field), (part) => {
      if (part.name === 'dim_value') dims.push(part.value < 0n ? 1n : part.value)
      else readName(context, part, place)
    })
  })
}
