/** Opset imports of a model or function. */
import { canonicalDomain } from './known-ops.js'
import type { Place } from './place.js'
import { printable } from './place.js'
import { readMessage, readName } from './read-message.js'
import { child, refuse, type ScanContext } from './scan-context.js'
import type { ByteRange } from './wire-reader.js'
import { OPSET_ID } from './wire-schema.js'

const MAX_IMPORTS = 256

/** Reads one import into `imports`: canonical domain → version. */
export function readOpsetImport(
  context: ScanContext,
  range: ByteRange,
  parent: Place,
  imports: Map<string, bigint>,
): void {
  const place = child(parent, 'opset_import', range)
  let domain = ''
  let version = 0n
  readMessage(context, OPSET_ID, place, (field) => {
    if (field.name === 'domain') domain = canonicalDomain(readName(context, field, place))
    else version = field.value
  })
  if (imports.has(domain)) {
    throw refuse(
      context,
      'duplicate_name',
      place,
      `domain '${printable(domain)}' is imported twice`,
    )
  }
  imports.set(domain, version)
  if (imports.size > MAX_IMPORTS) {
    throw refuse(context, 'too_many_values', place, `more than ${MAX_IMPORTS} domains`)
  }
}
