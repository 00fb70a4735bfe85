import type { DeviceConfiguration, FunctionDefinition, Model, TrainingInfo } from '@pare/graph'

import { type Chunk, encodeChunks, type WireWriter } from '../wire/writer.js'
import { writeAttribute, writeGraph, writeNode } from './write-graph.js'
import { writeEntries } from './write-tensor.js'
import { writeValue } from './write-type.js'

/**
 * The bytes of an .onnx file, in one buffer: one copy of the weights. Protobuf readers stop at
 * 2 GiB; larger models need `encodeModelWithExternalData`.
 */
export function encodeModel(model: Model): Uint8Array {
  const chunks = encodeModelChunks(model)
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return bytes
}

/**
 * The same bytes in pieces, for writing to a file or a socket: weights are the views that the
 * model holds, so nothing large is copied. External data stays external.
 */
export function encodeModelChunks(model: Model): readonly Uint8Array[] {
  // Only inlined external data makes a chunk of anything but bytes.
  return encodeChunks((w) => writeModel(w, model)) as readonly Uint8Array[]
}

/**
 * The file with all external data inside, which is read when its turn comes: see `piecesOf`. Throws
 * `tensor_data_not_loaded` for external data whose file is not at hand.
 */
export function encodeInlined(model: Model): readonly Chunk[] {
  return encodeChunks((w) => writeModel(w, model), { inlinesExternalData: true })
}

function writeModel(w: WireWriter, model: Model): void {
  w.integer(1, model.irVersion)
  if (model.producerName !== undefined) w.text(2, model.producerName)
  if (model.producerVersion !== undefined) w.text(3, model.producerVersion)
  if (model.domain !== undefined) w.text(4, model.domain)
  if (model.modelVersion !== undefined) w.integer(5, model.modelVersion)
  if (model.docString !== undefined) w.text(6, model.docString)
  w.message(7, writeGraph(model.graph))
  writeOpsetImports(w, 8, model.opsetImports)
  writeEntries(w, 14, model.metadataProps)
  for (const info of model.trainingInfo ?? []) w.message(20, writeTrainingInfo(info))
  for (const definition of model.functions) w.message(25, writeFunction(definition))
  for (const device of model.deviceConfigurations ?? []) w.message(26, writeDevice(device))
}

function writeOpsetImports(w: WireWriter, field: number, imports: Model['opsetImports']): void {
  for (const { domain, version } of imports) {
    w.message(field, () => {
      w.text(1, domain)
      w.integer(2, version)
    })
  }
}

function writeTrainingInfo(info: TrainingInfo): (w: WireWriter) => void {
  return (w) => {
    if (info.initialization !== undefined) w.message(1, writeGraph(info.initialization))
    if (info.algorithm !== undefined) w.message(2, writeGraph(info.algorithm))
    writeEntries(w, 3, info.initializationBinding)
    writeEntries(w, 4, info.updateBinding)
  }
}

function writeFunction(definition: FunctionDefinition): (w: WireWriter) => void {
  return (w) => {
    w.text(1, definition.name)
    for (const name of definition.inputs) w.text(4, name)
    for (const name of definition.outputs) w.text(5, name)
    for (const name of definition.attributes) w.text(6, name)
    for (const node of definition.nodes) w.message(7, writeNode(node))
    if (definition.docString !== undefined) w.text(8, definition.docString)
    writeOpsetImports(w, 9, definition.opsetImports)
    w.text(10, definition.domain)
    for (const [name, attribute] of definition.attributeDefaults) {
      w.message(11, writeAttribute(name, attribute))
    }
    for (const value of definition.valueInfo) w.message(12, writeValue(value))
    if (definition.overload !== undefined) w.text(13, definition.overload)
    writeEntries(w, 14, definition.metadataProps)
  }
}

function writeDevice(device: DeviceConfiguration): (w: WireWriter) => void {
  return (w) => {
    w.text(1, device.name)
    w.integer(2, device.numDevices)
    for (const name of device.devices) w.text(3, name)
  }
}
