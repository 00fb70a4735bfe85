/** What the parts of the scanner share: the reader, the limits, the counts, and how to fail. */
import type { CodedError } from '@pare/errors'

import type { ByteSource } from './byte-source.js'
import { type ScanErrorCode, scanErrors } from './errors.js'
import type { ScanLimits, ScanPolicy } from './limits.js'
import { describePlace, type Place } from './place.js'
import type { ShapeClaims } from './shape-claim.js'
import type { ByteRange, WireReader } from './wire-reader.js'

export interface ScanContext {
  readonly source: ByteSource
  readonly reader: WireReader
  readonly limits: ScanLimits
  readonly policy: ScanPolicy
  /** Files beside the model and their sizes. */
  readonly members: ReadonlyMap<string, number>
  readonly counts: ScanCounts
  readonly claims: ShapeClaims
}

/** Totals of the whole file, raised as it is read and compared with the limits at once. */
export interface ScanCounts {
  fields: number
  nodes: number
  initializers: number
  sparseInitializers: number
  functions: number
  deepestGraph: number
  /** Bytes of all tensors as stored, external data included. */
  tensorBytes: bigint
  readonly membersUsed: Set<string>
}

export function newCounts(): ScanCounts {
  return {
    fields: 0,
    nodes: 0,
    initializers: 0,
    sparseInitializers: 0,
    functions: 0,
    deepestGraph: 0,
    tensorBytes: 0n,
    membersUsed: new Set(),
  }
}

/** Makes the error for a place; the caller throws it. */
export function refuse(
  context: ScanContext,
  code: ScanErrorCode,
  place: Place,
  reason: string,
): CodedError {
  const where = describePlace(place, context.source)
  return scanErrors[code](where === '' ? reason : `${where}: ${reason}`, {
    details: { place: where, offset: place.range.start },
  })
}

interface ChildOptions {
  readonly index?: number
  readonly nameField?: number
}

/** A message inside the one of `parent`. */
export function child(
  parent: Place,
  label: string,
  range: ByteRange,
  options: ChildOptions = {},
): Place {
  return { parent, label, joint: '.', range, ...options }
}
