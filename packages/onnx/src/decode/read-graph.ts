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

import { attributeTypeOf } from '../attribute-types.js'
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
    if (reader.allowsRepeats) return
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

/** The one value field of an AttributeProto, and another where the file has one too many. */
interface AttributeContent {
  type?: AttributeTypeName
  value?: unknown
  conflict?: AttributeTypeName
}

interface ListTypes {
  readonly floats: number
  readonly graphs: Graph
  readonly ints: bigint
  readonly sparse_tensors: SparseTensor
  readonly strings: Uint8Array
  readonly tensors: Tensor
  readonly types: ValueType
}

interface AttributeHead {
  name: string
  type: number
  reference: string
  docString?: string
}

function readAttribute(reader: WireReader): readonly [string, Attribute] {
  const head: AttributeHead = { name: '', type: 0, reference: '' }
  const content: AttributeContent = {}
  while (reader.next()) {
    if (reader.field === 1) head.name = reader.text()
    else if (reader.field === 13) head.docString = reader.text()
    else if (reader.field === 20) head.type = reader.int32()
    else if (reader.field === 21) head.reference = reader.text()
    else readAttributeValue(reader, content)
  }
  const attribute = makeAttribute(reader, head, content)
  const { docString } = head
  return [head.name, docString === undefined ? attribute : { ...attribute, docString }]
}

function readAttributeValue(reader: WireReader, content: AttributeContent): void {
  const one = (type: AttributeTypeName, value: unknown) => {
    claim(content, type)
    content.value = value
  }
  const each = <Type extends keyof ListTypes>(
    type: Type,
    label: string,
    read: (reader: WireReader) => ListTypes[Type],
  ) => {
    const values = listOf(content, type)
    values.push(reader.message(label, values.length, read))
  }
  if (reader.field === 2) one('float', reader.float())
  else if (reader.field === 3) one('int', reader.int64())
  else if (reader.field === 4) one('string', reader.payload())
  else if (reader.field === 5) one('tensor', reader.message('t', -1, readTensor))
  else if (reader.field === 6) one('graph', reader.message('g', -1, readGraph))
  else if (reader.field === 7) reader.floats(listOf(content, 'floats'))
  else if (reader.field === 8) reader.int64s(listOf(content, 'ints'))
  else if (reader.field === 9) listOf(content, 'strings').push(reader.payload())
  else if (reader.field === 10) each('tensors', 'tensors', readTensor)
  else if (reader.field === 11) each('graphs', 'graphs', readGraph)
  else if (reader.field === 14) one('type', reader.message('tp', -1, readType))
  else if (reader.field === 15) each('types', 'type_protos', readType)
  else if (reader.field === 22) {
    one('sparse_tensor', reader.message('sparse_tensor', -1, readSparseTensor))
  } else if (reader.field === 23) each('sparse_tensors', 'sparse_tensors', readSparseTensor)
  else reader.unknown()
}

function listOf<Type extends keyof ListTypes>(
  content: AttributeContent,
  type: Type,
): ListTypes[Type][] {
  if (content.type !== type) {
    claim(content, type)
    content.value = []
  }
  return content.value as ListTypes[Type][]
}

function claim(content: AttributeContent, type: AttributeTypeName): void {
  if (content.type === undefined) content.type = type
  else if (content.type !== type) content.conflict = type
}

function makeAttribute(
  reader: WireReader,
  head: AttributeHead,
  content: AttributeContent,
): Attribute {
  const invalid = (reason: string) =>
    codecErrors.attribute_invalid(`${reader.place()}: attribute "${head.name}" ${reason}`)
  const stated = attributeTypeOf(head.type)
  if (stated === undefined) throw invalid(`has the unknown type ${head.type}`)
  if (head.reference !== '') {
    if (content.type !== undefined) throw invalid('is a reference and has a value')
    return { type: 'reference', name: head.reference, referencedType: stated }
  }
  // Files of IR version 1 have no type: the one field that is there tells it.
  const type = stated === 'undefined' ? content.type : stated
  if (type === undefined) throw invalid('has no type and no value')
  const other = content.conflict ?? content.type ?? type
  if (other !== type) throw invalid(`is ${type} but has a value of ${other}`)
  const value = content.value ?? defaultValue(type)
  if (value === undefined) throw invalid(`has no ${type}`)
  return { type, value } as Attribute
}

/** What a missing field stands for: an empty list, or the default that proto3 writers leave out. */
function defaultValue(type: AttributeTypeName): unknown {
  switch (type) {
    case 'float':
      return 0
    case 'int':
      return 0n
    case 'string':
      return new Uint8Array(0)
    case 'tensor':
    case 'sparse_tensor':
    case 'graph':
    case 'type':
      return undefined
    default:
      return []
  }
}
