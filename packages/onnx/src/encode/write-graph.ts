// GraphProto, NodeProto and AttributeProto, which contain each other.
import type { Attribute, Graph, Node, NodeDeviceConfiguration } from '@pare/graph'

import { attributeTypeNumber } from '../attribute-types.js'
import type { WireWriter } from '../wire/writer.js'
import { writeEntries, writeSparseTensor, writeTensor } from './write-tensor.js'
import { writeType, writeValue } from './write-type.js'

export function writeGraph(graph: Graph): (w: WireWriter) => void {
  return (w) => {
    for (const node of graph.nodes) w.message(1, writeNode(node))
    w.text(2, graph.name)
    for (const [name, tensor] of graph.initializers) w.message(5, writeTensor(tensor, name))
    if (graph.docString !== undefined) w.text(10, graph.docString)
    for (const value of graph.inputs) w.message(11, writeValue(value))
    for (const value of graph.outputs) w.message(12, writeValue(value))
    for (const value of graph.valueInfo) w.message(13, writeValue(value))
    for (const { tensorName, parameters } of graph.quantizationAnnotations ?? []) {
      w.message(14, () => {
        w.text(1, tensorName)
        writeEntries(w, 2, parameters)
      })
    }
    for (const sparse of graph.sparseInitializers) w.message(15, writeSparseTensor(sparse))
    writeEntries(w, 16, graph.metadataProps)
  }
}

export function writeNode(node: Node): (w: WireWriter) => void {
  return (w) => {
    for (const name of node.inputs) w.text(1, name)
    for (const name of node.outputs) w.text(2, name)
    if (node.name !== '') w.text(3, node.name)
    w.text(4, node.opType)
    for (const [name, attribute] of node.attributes) w.message(5, writeAttribute(name, attribute))
    if (node.docString !== undefined) w.text(6, node.docString)
    if (node.domain !== '') w.text(7, node.domain)
    if (node.overload !== undefined) w.text(8, node.overload)
    writeEntries(w, 9, node.metadataProps)
    for (const device of node.deviceConfigurations ?? []) w.message(10, writeDevice(device))
  }
}

export function writeAttribute(name: string, attribute: Attribute): (w: WireWriter) => void {
  return (w) => {
    w.text(1, name)
    const writeContent = ATTRIBUTE_WRITERS[attribute.type] as AttributeWriter<Attribute['type']>
    writeContent(w, attribute)
    if (attribute.docString !== undefined) w.text(13, attribute.docString)
    const type = attribute.type === 'reference' ? attribute.referencedType : attribute.type
    w.integer(20, attributeTypeNumber(type))
  }
}

type AttributeWriter<Type extends Attribute['type']> = (
  w: WireWriter,
  attribute: Extract<Attribute, { readonly type: Type }>,
) => void

/** One row per type of attribute: a forgotten type is a compile error. */
const ATTRIBUTE_WRITERS: { readonly [Type in Attribute['type']]: AttributeWriter<Type> } = {
  float: (w, { value }) => w.float(2, value),
  floats: (w, { value }) => value.forEach((x) => w.float(7, x)),
  graph: (w, { value }) => w.message(6, writeGraph(value)),
  graphs: (w, { value }) => value.forEach((graph) => w.message(11, writeGraph(graph))),
  int: (w, { value }) => w.integer(3, value),
  ints: (w, { value }) => value.forEach((x) => w.integer(8, x)),
  reference: (w, { name }) => w.text(21, name),
  sparse_tensor: (w, { value }) => w.message(22, writeSparseTensor(value)),
  sparse_tensors: (w, { value }) => value.forEach((x) => w.message(23, writeSparseTensor(x))),
  string: (w, { value }) => w.payload(4, value),
  strings: (w, { value }) => value.forEach((text) => w.payload(9, text)),
  tensor: (w, { value }) => w.message(5, writeTensor(value)),
  tensors: (w, { value }) => value.forEach((tensor) => w.message(10, writeTensor(tensor))),
  type: (w, { value }) => w.message(14, writeType(value)),
  types: (w, { value }) => value.forEach((type) => w.message(15, writeType(type))),
}

function writeDevice(device: NodeDeviceConfiguration): (w: WireWriter) => void {
  return (w) => {
    w.text(1, device.configurationId)
    for (const spec of device.shardingSpecs) w.message(2, writeShardingSpec(spec))
    if (device.pipelineStage !== undefined) w.integer(3, device.pipelineStage)
  }
}

function writeShardingSpec(
  spec: NodeDeviceConfiguration['shardingSpecs'][number],
): (w: WireWriter) => void {
  return (w) => {
    w.text(1, spec.tensorName)
    for (const device of spec.devices) w.integer(2, device)
    for (const { key, values } of spec.deviceGroups) {
      w.message(3, () => {
        w.integer(1, key)
        for (const value of values) w.integer(2, value)
      })
    }
    for (const { axis, simpleShardings } of spec.shardedDims) {
      w.message(4, () => {
        w.integer(1, axis)
        for (const { dim, numShards } of simpleShardings) {
          w.message(2, () => {
            if (typeof dim === 'bigint') w.integer(1, dim)
            else if (dim !== undefined) w.text(2, dim)
            w.integer(3, numShards)
          })
        }
      })
    }
  }
}
