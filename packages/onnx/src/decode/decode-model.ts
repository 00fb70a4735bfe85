import { CodedError } from '@pare/errors'
import type {
  DeviceConfiguration,
  FunctionDefinition,
  Graph,
  MetadataProp,
  Model,
  Node,
  OpsetImport,
  TrainingInfo,
  Value,
} from '@pare/graph'

import { scanErrors } from '../scan/errors.js'
import { WireReader } from '../wire/reader.js'
import { readDeviceConfiguration } from './read-devices.js'
import { normalizeDomain, readEntry, readOpsetImport } from './read-entry.js'
import { addAttribute, readGraph, readNode } from './read-graph.js'
import { readValue } from './read-type.js'

export interface DecodeOptions {
  /**
   * What to do with a field that onnx.proto (IR version 14) does not define: it could change what
   * the model means, so `reject` (default) throws `unknown_field`; `drop` loses it.
   */
  readonly unknownFields?: 'reject' | 'drop'
  /**
   * What to do with an initializer whose name its graph already has. onnxruntime 1.30 writes those of
   * bodies twice, with the same value, where weights go to a file beside its optimized graph: whoever
   * reads that says `keep_first`. Default `reject`, which throws `duplicate_name`.
   */
  readonly repeatedInitializers?: 'reject' | 'keep_first'
}

/**
 * The model in the bytes of an .onnx file. Weights are views of `bytes`, which must not change
 * afterwards. Nothing is lost: `encodeModel` writes a file of the same meaning. A malformed file
 * throws an error of kind `invalid_input` that names the place (`graph.node[3].attribute[0]`);
 * the rules of a valid graph are `checkModel`'s, hostile files are `scanModel`'s.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  if (bytes.length === 0) throw scanErrors.not_onnx('the file is empty')
  const reader = new WireReader(bytes, {
    dropUnknown: options.unknownFields === 'drop',
    allowsRepeats: options.repeatedInitializers === 'keep_first',
  })
  try {
    return readModel(reader)
  } catch (error) {
    if (error instanceof CodedError && reader.place() === 'model' && !isOnnx(error)) {
      throw scanErrors.not_onnx(`the file does not begin like an ONNX model: ${error.message}`, {
        cause: error,
      })
    }
    throw error
  }
}

/** Faults at the top level mean that the bytes are something else, except for these. */
function isOnnx({ code }: CodedError): boolean {
  return code === 'model_truncated' || code === 'graph_missing'
}

interface ModelTexts {
  producerName?: string
  producerVersion?: string
  domain?: string
  docString?: string
}

function readModel(reader: WireReader): Model {
  let irVersion = 0
  let modelVersion: bigint | undefined
  let graph: Graph | undefined
  const texts: ModelTexts = {}
  const opsetImports: OpsetImport[] = []
  const metadataProps: MetadataProp[] = []
  const trainingInfo: TrainingInfo[] = []
  const functions: FunctionDefinition[] = []
  const devices: DeviceConfiguration[] = []
  while (reader.next()) {
    if (reader.field === 1) irVersion = reader.safeInt64()
    else if (reader.field === 5) modelVersion = reader.int64()
    else if (reader.field === 7) {
      if (graph !== undefined) throw scanErrors.duplicate_field('the model has two graphs')
      graph = reader.message('graph', -1, readGraph)
    } else if (reader.field === 8) {
      opsetImports.push(reader.message('opset_import', opsetImports.length, readOpsetImport))
    } else if (reader.field === 14) {
      metadataProps.push(reader.message('metadata_props', metadataProps.length, readEntry))
    } else if (reader.field === 20) {
      trainingInfo.push(reader.message('training_info', trainingInfo.length, readTrainingInfo))
    } else if (reader.field === 25) {
      functions.push(reader.message('functions', functions.length, readFunction))
    } else if (reader.field === 26) {
      devices.push(reader.message('configuration', devices.length, readDeviceConfiguration))
    } else readModelText(reader, texts)
  }
  if (graph === undefined) throw scanErrors.graph_missing('the model has no graph')
  return {
    irVersion,
    opsetImports,
    ...texts,
    ...(modelVersion === undefined ? {} : { modelVersion }),
    metadataProps,
    graph,
    functions,
    ...(trainingInfo.length === 0 ? {} : { trainingInfo }),
    ...(devices.length === 0 ? {} : { deviceConfigurations: devices }),
  }
}

function readModelText(reader: WireReader, texts: ModelTexts): void {
  if (reader.field === 2) texts.producerName = reader.text()
  else if (reader.field === 3) texts.producerVersion = reader.text()
  else if (reader.field === 4) texts.domain = reader.text()
  else if (reader.field === 6) texts.docString = reader.text()
  else reader.unknown()
}

function readTrainingInfo(reader: WireReader): TrainingInfo {
  const graphs: { initialization?: Graph; algorithm?: Graph } = {}
  const initializationBinding: MetadataProp[] = []
  const updateBinding: MetadataProp[] = []
  while (reader.next()) {
    if (reader.field === 1) graphs.initialization = reader.message('initialization', -1, readGraph)
    else if (reader.field === 2) graphs.algorithm = reader.message('algorithm', -1, readGraph)
    else if (reader.field === 3) {
      const index = initializationBinding.length
      initializationBinding.push(reader.message('initialization_binding', index, readEntry))
    } else if (reader.field === 4) {
      updateBinding.push(reader.message('update_binding', updateBinding.length, readEntry))
    } else reader.unknown()
  }
  return { ...graphs, initializationBinding, updateBinding }
}

interface FunctionTexts {
  name: string
  domain: string
  docString?: string
  overload?: string
}

function readFunction(reader: WireReader): FunctionDefinition {
  const texts: FunctionTexts = { name: '', domain: '' }
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes: string[] = []
  const attributeDefaults: FunctionDefinition['attributeDefaults'] = new Map()
  const nodes: Node[] = []
  const opsetImports: OpsetImport[] = []
  const valueInfo: Value[] = []
  const metadataProps: MetadataProp[] = []
  while (reader.next()) {
    if (reader.field === 4) inputs.push(reader.text())
    else if (reader.field === 5) outputs.push(reader.text())
    else if (reader.field === 6) attributes.push(reader.text())
    else if (reader.field === 7) nodes.push(reader.message('node', nodes.length, readNode))
    else if (reader.field === 9) {
      opsetImports.push(reader.message('opset_import', opsetImports.length, readOpsetImport))
    } else if (reader.field === 11) addAttribute(reader, attributeDefaults as Map<string, never>)
    else if (reader.field === 12) {
      valueInfo.push(reader.message('value_info', valueInfo.length, readValue))
    } else if (reader.field === 14) {
      metadataProps.push(reader.message('metadata_props', metadataProps.length, readEntry))
    } else readFunctionText(reader, texts)
  }
  return {
    ...texts,
    inputs,
    outputs,
    attributes,
    attributeDefaults,
    nodes,
    opsetImports,
    valueInfo,
    metadataProps,
  }
}

function readFunctionText(reader: WireReader, texts: FunctionTexts): void {
  if (reader.field === 1) texts.name = reader.text()
  // since_version and status: deprecated with IR version 8, without meaning since.
  else if (reader.field === 2 || reader.field === 3) reader.skip()
  else if (reader.field === 8) texts.docString = reader.text()
  else if (reader.field === 10) texts.domain = normalizeDomain(reader.text())
  else if (reader.field === 13) texts.overload = reader.text()
  else reader.unknown()
}
