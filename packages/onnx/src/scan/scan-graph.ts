/** Graphs, nodes and attributes. They contain each other, hence one file. */
import { type Body, opKey } from './body.js'
import { canonicalDomain, CONTROL_FLOW_OPS } from './known-ops.js'
import { partOf, type Place } from './place.js'
import { checkText, readMessage, readName, type WireField } from './read-message.js'
import { child, refuse, type ScanContext } from './scan-context.js'
import { scanSparseTensor } from './scan-sparse-tensor.js'
import { readInts, scanTensor } from './scan-tensor.js'
import { scanType, scanValueInfo } from './scan-type.js'
import type { ConstantScope, TensorFacts } from './shape-claim.js'
import { makesShape } from './static-claims.js'
import { ATTRIBUTE, GRAPH, NODE } from './wire-schema.js'

/** Where in the nesting a graph or node stands. */
export interface Site {
  readonly body: Body
  /** 1 is the main graph or a function's own nodes. */
  readonly depth: number
  readonly scope: ConstantScope
}

export function scanGraph(context: ScanContext, place: Place, site: Site): void {
  enterGraph(context, place, site)
  const names = {
    inputs: new Set<string>(),
    outputs: new Set<string>(),
    initializers: new Set<string>(),
  }
  const addInitializer = (facts: TensorFacts, at: Place): void => {
    context.counts.initializers += 1
    if (context.counts.initializers > context.limits.maxInitializers) {
      const reason = `more than ${context.limits.maxInitializers} initializers`
      throw refuse(context, 'too_many_initializers', at, reason)
    }
    define(context, at, names.initializers, facts.name)
    site.scope.constants.set(facts.name, facts)
  }
  readMessage(context, GRAPH, place, (field) => {
    const at = child(place, field.name, field, { index: field.index })
    switch (field.name) {
      case 'node': {
        scanNode(context, { ...at, nameField: 3 }, site, names.outputs)
        return
      }
      case 'initializer': {
        addInitializer(scanTensor(context, { ...at, nameField: 8 }), { ...at, nameField: 8 })
        return
      }
      case 'sparse_initializer':
        context.counts.sparseInitializers += 1
        {
          addInitializer(scanSparseTensor(context, at), at)
          return
        }
      case 'input':
        checkValueCount(context, place, field)
        {
          define(context, at, names.inputs, scanValueInfo(context, { ...at, nameField: 1 }))
          return
        }
      case 'output':
      case 'value_info':
        checkValueCount(context, place, field)
        scanValueInfo(context, { ...at, nameField: 1 })
        return
      case 'name':
        readName(context, field, place)
        return
      default: {
        checkText(context, field, place)
        return
      }
    }
  })
  for (const name of names.outputs) {
    if (!names.inputs.has(name) && !names.initializers.has(name)) continue
    const reason = `'${name}' is the output of a node and an input or initializer`
    throw refuse(context, 'duplicate_name', place, reason)
  }
}

function enterGraph(context: ScanContext, place: Place, site: Site): void {
  if (site.depth > context.limits.maxDepth) {
    const reason = `graphs are nested more than ${context.limits.maxDepth} deep`
    throw refuse(context, 'model_too_deep', place, reason)
  }
  site.body.deepest = Math.max(site.body.deepest, site.depth)
  context.counts.deepestGraph = Math.max(context.counts.deepestGraph, site.depth)
}

function checkValueCount(context: ScanContext, place: Place, field: WireField): void {
  if (field.index < context.limits.maxValuesPerGraph) return
  const reason = `more than ${context.limits.maxValuesPerGraph} times ${field.name}`
  throw refuse(context, 'too_many_values', place, reason)
}

function define(context: ScanContext, place: Place, names: Set<string>, name: string): void {
  if (names.has(name)) throw refuse(context, 'duplicate_name', place, `'${name}' is defined twice`)
  names.add(name)
}

interface NodeFacts {
  domain: string
  opType: string
  overload: string
  readonly inputs: string[]
  readonly attributes: Map<string, AttributeFacts>
}

export function scanNode(
  context: ScanContext,
  place: Place,
  site: Site,
  outputs: Set<string>,
): void {
  countNode(context, place, site.body)
  const node: NodeFacts = {
    domain: '',
    opType: '',
    overload: '',
    inputs: [],
    attributes: new Map(),
  }
  const ownOutputs: string[] = []
  readMessage(context, NODE, place, (field) => {
    switch (field.name) {
      case 'input':
        checkArity(context, place, field)
        node.inputs.push(readName(context, field, place))
        return
      case 'output':
        checkArity(context, place, field)
        ownOutputs.push(readName(context, field, place))
        return
      case 'op_type':
        node.opType = readName(context, field, place)
        return
      case 'domain':
        node.domain = canonicalDomain(readName(context, field, place))
        return
      case 'overload':
        node.overload = readName(context, field, place)
        return
      case 'attribute': {
        addAttribute(context, attributePlace(place, field), site, node)
        return
      }
      case 'name':
        readName(context, field, place)
        return
      default: {
        checkText(context, field, place)
        return
      }
    }
  })
  for (const name of ownOutputs) if (name !== '') define(context, place, outputs, name)
  noteUse(context, place, site, node)
  noteConstants(context, place, site, { node, output: ownOutputs[0] ?? '' })
}

function countNode(context: ScanContext, place: Place, body: Body): void {
  body.nodes += 1
  context.counts.nodes += 1
  if (context.counts.nodes > context.limits.maxNodes) {
    throw refuse(context, 'too_many_nodes', place, `more than ${context.limits.maxNodes} nodes`)
  }
}

export function checkArity(context: ScanContext, place: Place, field: WireField): void {
  if (field.index < context.limits.maxValuesPerNode) return
  const reason = `more than ${context.limits.maxValuesPerNode} times ${field.name}`
  throw refuse(context, 'too_many_values', place, reason)
}

export function attributePlace(parent: Place, field: WireField): Place {
  return { parent, label: 'attribute', joint: ' → ', range: field, nameField: 1 }
}

function addAttribute(context: ScanContext, place: Place, site: Site, node: NodeFacts): void {
  const facts = scanAttribute(context, place, site)
  if (node.attributes.has(facts.name)) {
    throw refuse(context, 'duplicate_name', place, 'the node has this attribute twice')
  }
  node.attributes.set(facts.name, facts)
}

function noteUse(context: ScanContext, place: Place, site: Site, node: NodeFacts): void {
  const { domain, opType, overload } = node
  const key = opKey(domain, opType, overload)
  const use = site.body.uses.get(key)
  if (use === undefined) {
    site.body.uses.set(key, { domain, opType, first: place, count: 1, deepest: site.depth })
  } else {
    use.count += 1
    use.deepest = Math.max(use.deepest, site.depth)
  }
  if (domain === '' && CONTROL_FLOW_OPS.has(opType) && context.policy.controlFlow === 'deny') {
    throw refuse(context, 'control_flow_not_allowed', place, `operator ${opType}`)
  }
}

interface NodeWithOutput {
  readonly node: NodeFacts
  readonly output: string
}

function noteConstants(
  context: ScanContext,
  place: Place,
  site: Site,
  { node, output }: NodeWithOutput,
): void {
  if (node.domain !== '') return
  const { opType, inputs, attributes } = node
  const { scope } = site
  if (opType === 'Constant') {
    const constant = ['value', 'value_int', 'value_ints'].map(
      (name) => attributes.get(name)?.tensor,
    )
    const facts = constant.find((tensor) => tensor !== undefined)
    if (facts !== undefined) scope.constants.set(output, facts)
  }
  if (!makesShape(opType)) return
  const shape = attributes.get('shape')?.tensor?.ints
  const elementType = attributes.get('value')?.tensor?.elementType
  context.claims.push({
    place,
    opType,
    inputs,
    scope,
    ...(shape === undefined ? {} : { shape }),
    ...(elementType === undefined ? {} : { elementType }),
  })
}

export interface AttributeFacts {
  readonly name: string
  /** A tensor attribute, or integers seen as one. */
  readonly tensor?: TensorFacts
}

const MAX_KEPT_INTS = 64
const INT64_TYPE = { name: 'int64', bits: 64, field: 'int64_data', entriesPerElement: 1 } as const

export function scanAttribute(context: ScanContext, place: Place, site: Site): AttributeFacts {
  let name = ''
  let tensor: TensorFacts | undefined
  const ints: bigint[] = []
  let skipped = 0
  readMessage(context, ATTRIBUTE, place, (field) => {
    switch (field.name) {
      case 'name':
        name = readName(context, field, place)
        return
      case 'ref_attr_name':
        readName(context, field, place)
        return
      case 't':
      case 'tensors':
        skipped += field.end - field.start
        tensor = scanTensor(context, child(place, 'tensor', field, { nameField: 8 }))
        return
      case 'sparse_tensor':
      case 'sparse_tensors':
        skipped += field.end - field.start
        scanSparseTensor(context, partOf(place, field))
        return
      case 'g':
      case 'graphs':
        skipped += field.end - field.start
        {
          scanSubgraph(context, place, field, site)
          return
        }
      case 'tp':
      case 'type_protos': {
        scanType(context, partOf(place, field), 1)
        return
      }
      case 'i':
      case 'ints': {
        readInts(context, place, field, { into: ints, limit: MAX_KEPT_INTS })
        return
      }
      default:
        return
    }
  })
  checkAttributeSize(context, place, skipped)
  const seen = tensor ?? intsAsTensor(ints)
  return seen === undefined ? { name } : { name, tensor: seen }
}

function scanSubgraph(context: ScanContext, place: Place, field: WireField, site: Site): void {
  const graph: Place = { parent: place, label: 'graph', joint: ' → ', range: field }
  scanGraph(context, graph, {
    body: site.body,
    depth: site.depth + 1,
    scope: { parent: site.scope, constants: new Map() },
  })
}

function checkAttributeSize(context: ScanContext, place: Place, skipped: number): void {
  const bytes = place.range.end - place.range.start - skipped
  if (bytes <= context.limits.maxAttributeBytes) return
  const reason = `${bytes} bytes, the limit is ${context.limits.maxAttributeBytes}`
  throw refuse(context, 'attribute_too_large', place, reason)
}

function intsAsTensor(ints: readonly bigint[]): TensorFacts | undefined {
  if (ints.length === 0 || ints.length > MAX_KEPT_INTS) return undefined
  const elements = BigInt(ints.length)
  return { name: '', elementType: INT64_TYPE, dims: [elements], elements, ints }
}
