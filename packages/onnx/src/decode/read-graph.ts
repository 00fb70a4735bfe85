// GraphProto, NodeProto and AttributeProto, which contain each other.
import type {
  Attribute,
  AttributeTypeName,
  Graph,
  MetadataProp,
  Node,
  NodeDeviceConfiguration,
  QuantizationAnnotation,
  SparseTensor,
  Value,
  ValueType,
} from '@pare/graph'
import type { Tensor } from '@pare/tensor'

import { attributeTypeOf } from '../data-types.js'
import { codecErrors } from '../errors.js'
import { scanErrors } from '../scan/errors.js'
import type { WireReader } from '../wire/reader.js'
import { readNodeDeviceConfiguration } from './read-devices.js'
import { normalizeDomain, readEntry } from './read-entry.js'
import { readSparseTensor, readTensor } from './read-tensor.js'
import { readType, readValue } from './read-type.js'

export function readGraph(reader: WireReader): Graph {
  let name = ''
  let docString: string | undefined
  const nodes: Node[] = []
  const inputs: Value[] = []
  const outputs: Value[] = []
  const valueInfo: Value[] = []
  const initializers = new Map<string, Tensor>()
  const sparseInitializers: SparseTensor[] = []
  const annotations: QuantizationAnnotation[] = []
  const metadataProps: MetadataProp[] = []
  while (reader.next()) {
    if (reader.field === 1) nodes.push(reader.message('node', nodes.length, readNode))
    else if (reader.field === 2) name = reader.text()
    else if (reader.field === 5) addInitializer(reader, initializers)
    else if (reader.field === 10) docString = reader.text()
    else if (reader.field === 11) inputs.push(reader.message('input', inputs.length, readValue))
    else if (reader.field === 12) outputs.push(reader.message('output', outputs.length, readValue))
    else if (reader.field === 13) {
      valueInfo.push(reader.message('value_info', valueInfo.length, readValue))
    } else if (reader.field === 14) {
      annotations.push(
        reader.message('quantization_annotation', annotations.length, readAnnotation),
      )
    } else if (reader.field === 15) {
      const index = sparseInitializers.length
      sparseInitializers.push(reader.message('sparse_initializer', index, readSparseTensor))
    } else if (reader.field === 16) {
      metadataProps.push(reader.message('metadata_props', metadataProps.length, readEntry))
    } else reader.unknown()
  }
  return {
    name,
    ...(docString === undefined ? {} : { docString }),
    nodes,
    inputs,
    outputs,
    valueInfo,
    initializers,
    sparseInitializers,
    ...(annotations.length === 0 ? {} : { quantizationAnnotations: annotations }),
    metadataProps,
  }
}

function addInitializer(reader: WireReader, initializers: Map<string, Tensor>): void {
  const { name = '', ...tensor } = reader.message('initializer', initializers.size, readTensor)
  if (initializers.has(name)) {
    throw scanErrors.duplicate_name(`${reader.place()}: two initializers are named "${name}"`)
  }
  initializers.set(name, tensor)
}

function readAnnotation(reader: WireReader): QuantizationAnnotation {
  let tensorName = ''
  const parameters: MetadataProp[] = []
  while (reader.next()) {
    if (reader.field === 1) tensorName = reader.text()
    else if (reader.field === 2) {
      const index = parameters.length
      parameters.push(reader.message('quant_parameter_tensor_names', index, readEntry))
    } else reader.unknown()
  }
  return { tensorName, parameters }
}

export function readNode(reader: WireReader): Node {
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes = new Map<string, Attribute>()
  const metadataProps: MetadataProp[] = []
  const devices: NodeDeviceConfiguration[] = []
  const texts: {
    name?: string
    opType?: string
    docString?: string
    domain?: string
    overload?: string
  } = {}
  while (reader.next()) {
    if (reader.field === 1) inputs.push(reader.text())
    else if (reader.field === 2) outputs.push(reader.text())
    else if (reader.field === 3) texts.name = reader.text()
    else if (reader.field === 4) texts.opType = reader.text()
    else if (reader.field === 5) addAttribute(reader, attributes)
    else if (reader.field === 6) texts.docString = reader.text()
    else if (reader.field === 7) texts.domain = normalizeDomain(reader.text())
    else if (reader.field === 8) texts.overload = reader.text()
    else if (reader.field === 9) {
      metadataProps.push(reader.message('metadata_props', metadataProps.length, readEntry))
    } else if (reader.field === 10) {
      const index = devices.length
      devices.push(reader.message('device_configurations', index, readNodeDeviceConfiguration))
    } else reader.unknown()
  }
  return {
    name: '',
    opType: '',
    domain: '',
    ...texts,
    inputs,
    outputs,
    attributes,
    metadataProps,
    ...(devices.length === 0 ? {} : { deviceConfigurations: devices }),
  }
}

/** Reads an attribute into a map. Throws `duplicate_name` for a second one of the same name. */
export function addAttribute(reader: WireReader, attributes: Map<string, Attribute>): void {
  const [name, attribute] = reader.message('attribute', attributes.size, readAttribute)
  if (attributes.has(name)) {
    throw scanErrors.duplicate_name(`${reader.place()}: two attributes are named "${name}"`)
  }
  attributes.set(name, attribute)
}

/** What the value fields of an AttributeProto held; lists are empty where a field is absent. */
interface AttributeFields {
  float?: number
  int?: bigint
  string?: Uint8Array
  tensor?: Tensor
  graph?: Graph
  sparse_tensor?: SparseTensor
  type?: ValueType
  readonly floats: number[]
  readonly ints: bigint[]
  readonly strings: Uint8Array[]
  readonly tensors: Tensor[]
  readonly graphs: Graph[]
  readonly sparse_tensors: SparseTensor[]
  readonly types: ValueType[]
}

interface AttributeHead {
  name: string
  type: number
  reference: string
  docString?: string
}

function readAttribute(reader: WireReader): readonly [string, Attribute] {
  const head: AttributeHead = { name: '', type: 0, reference: '' }
  const fields: AttributeFields = {
    floats: [],
    ints: [],
    strings: [],
    tensors: [],
    graphs: [],
    sparse_tensors: [],
    types: [],
  }
  while (reader.next()) {
    if (reader.field === 1) head.name = reader.text()
    else if (reader.field === 13) head.docString = reader.text()
    else if (reader.field === 20) head.type = reader.int32()
    else if (reader.field === 21) head.reference = reader.text()
    else readAttributeValue(reader, fields)
  }
  const attribute = makeAttribute(reader, head, fields)
  const { docString } = head
  return [head.name, docString === undefined ? attribute : { ...attribute, docString }]
}

function readAttributeValue(reader: WireReader, fields: AttributeFields): void {
  const { floats, ints, strings, tensors, graphs, types } = fields
  const sparse = fields.sparse_tensors
  if (reader.field === 2) fields.float = reader.float()
  else if (reader.field === 3) fields.int = reader.int64()
  else if (reader.field === 4) fields.string = reader.payload()
  else if (reader.field === 5) fields.tensor = reader.message('t', -1, readTensor)
  else if (reader.field === 6) fields.graph = reader.message('g', -1, readGraph)
  else if (reader.field === 7) reader.floats(floats)
  else if (reader.field === 8) reader.int64s(ints)
  else if (reader.field === 9) strings.push(reader.payload())
  else if (reader.field === 10) tensors.push(reader.message('tensors', tensors.length, readTensor))
  else if (reader.field === 11) graphs.push(reader.message('graphs', graphs.length, readGraph))
  else if (reader.field === 14) fields.type = reader.message('tp', -1, readType)
  else if (reader.field === 15) types.push(reader.message('type_protos', types.length, readType))
  else if (reader.field === 22) {
    fields.sparse_tensor = reader.message('sparse_tensor', -1, readSparseTensor)
  } else if (reader.field === 23) {
    sparse.push(reader.message('sparse_tensors', sparse.length, readSparseTensor))
  } else reader.unknown()
}

function makeAttribute(
  reader: WireReader,
  head: AttributeHead,
  fields: AttributeFields,
): Attribute {
  const stated = attributeTypeOf(head.type)
  const present = presentFields(fields)
  const where = `${reader.place()}: attribute "${head.name}"`
  if (stated === undefined) {
    throw codecErrors.attribute_invalid(`${where} has the unknown type ${head.type}`)
  }
  if (head.reference !== '') {
    if (present.length > 0) {
      throw codecErrors.attribute_invalid(`${where} is a reference and has a value`)
    }
    return { type: 'reference', name: head.reference, referencedType: stated }
  }
  // Files of IR version 1 have no type: the one field that is there tells it.
  const [only] = present
  const type = stated === 'undefined' ? only : stated
  if (type === undefined) {
    throw codecErrors.attribute_invalid(`${where} has no type and no value`)
  }
  if (present.some((field) => field !== type)) {
    throw codecErrors.attribute_invalid(`${where} is ${type} but has ${present.join(', ')}`)
  }
  const value = fields[type] ?? DEFAULTS[type]
  if (value === undefined) throw codecErrors.attribute_invalid(`${where} has no ${type}`)
  return { type, value } as Attribute
}

/** Writers that follow proto3 leave out a value that is the default. */
const DEFAULTS: Partial<Record<AttributeTypeName, unknown>> = {
  float: 0,
  int: 0n,
  string: new Uint8Array(0),
}

function presentFields(fields: AttributeFields): AttributeTypeName[] {
  return (Object.entries(fields) as [AttributeTypeName, unknown][])
    .filter(([, value]) => !Array.isArray(value) || value.length > 0)
    .map(([name]) => name)
}
