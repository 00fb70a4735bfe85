/** Functions of a model: bodies like the main graph's, with their own imports. */
import { type Body, newBody, opKey } from './body.js'
import { canonicalDomain, isReservedDomain } from './known-ops.js'
import type { Place } from './place.js'
import { printable } from './place.js'
import { checkText, readMessage, readName, type WireField } from './read-message.js'
import { child, refuse, type ScanContext } from './scan-context.js'
import { attributePlace, checkArity, scanAttribute, scanNode, type Site } from './scan-graph.js'
import { readOpsetImport } from './scan-opset.js'
import { scanValueInfo } from './scan-type.js'
import { FUNCTION } from './wire-schema.js'

interface FunctionNames {
  name: string
  domain: string
  overload: string
  readonly inputs: Set<string>
  readonly outputs: Set<string>
}

/** Scans one function and adds its body to `functions` under its key. */
export function scanFunction(
  context: ScanContext,
  place: Place,
  functions: Map<string, Body>,
): void {
  const imports = new Map<string, bigint>()
  const site: Site = { body: newBody(place, imports), depth: 1, scope: { constants: new Map() } }
  const names: FunctionNames = {
    name: '',
    domain: '',
    overload: '',
    inputs: new Set(),
    outputs: new Set(),
  }
  readMessage(context, FUNCTION, place, (field) => {
    switch (field.name) {
      case 'node': {
        scanNode(
          context,
          child(place, 'node', field, { index: field.index, nameField: 3 }),
          site,
          names.outputs,
        )
        return
      }
      case 'opset_import': {
        readOpsetImport(context, field, place, imports)
        return
      }
      case 'attribute_proto':
        scanAttribute(context, attributePlace(place, field), site)
        return
      case 'value_info':
        scanValueInfo(
          context,
          child(place, 'value_info', field, { index: field.index, nameField: 1 }),
        )
        return
      default: {
        readText(context, place, field, names)
        return
      }
    }
  })
  register(context, place, names, { body: site.body, functions })
}

function readText(
  context: ScanContext,
  place: Place,
  field: WireField,
  names: FunctionNames,
): void {
  switch (field.name) {
    case 'name':
    case 'domain':
    case 'overload':
      names[field.name] = readName(context, field, place)
      return
    case 'input': {
      checkArity(context, place, field)
      const name = readName(context, field, place)
      if (names.inputs.has(name)) {
        throw refuse(context, 'duplicate_name', place, `input '${printable(name)}' twice`)
      }
      names.inputs.add(name)
      return
    }
    case 'output':
    case 'attribute':
      checkArity(context, place, field)
      readName(context, field, place)
      return
    default: {
      checkText(context, field, place)
      return
    }
  }
}

interface Registration {
  readonly body: Body
  readonly functions: Map<string, Body>
}

function register(
  context: ScanContext,
  place: Place,
  names: FunctionNames,
  { body, functions }: Registration,
): void {
  const domain = canonicalDomain(names.domain)
  if (isReservedDomain(domain)) {
    throw refuse(context, 'function_domain_reserved', place, `domain '${names.domain}'`)
  }
  for (const name of names.outputs) {
    if (!names.inputs.has(name)) continue
    throw refuse(context, 'duplicate_name', place, `'${printable(name)}' is input and node output`)
  }
  const key = opKey(domain, names.name, names.overload)
  if (functions.has(key)) {
    throw refuse(context, 'duplicate_name', place, 'the function is defined twice')
  }
  functions.set(key, body)
}
