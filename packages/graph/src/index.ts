export {
  attr,
  attributes,
  describeNode,
  floatAttribute,
  floatsAttribute,
  graphAttribute,
  intAttribute,
  intsAttribute,
  nodeLabel,
  required,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
} from './attributes.js'
export { checkModel, findModelFaults, type ModelFault } from './check-model.js'
export { errors } from './errors.js'
export { firstOf } from './first-of.js'
export { editGraph, GraphEditor, type NodeSpec, type ReplaceUsesOptions } from './graph-editor.js'
export { type GraphIndex, indexGraph, readValues, type StaticGraphIndex } from './graph-index.js'
export { mapTensors, type TensorChange, type TensorPlace, tensorsOf } from './map-tensors.js'
export type {
  Attribute,
  AttributeTypeName,
  AttributeValue,
  DeviceConfiguration,
  Dimension,
  FunctionDefinition,
  Graph,
  MetadataProp,
  Model,
  Node,
  NodeDeviceConfiguration,
  OpsetImport,
  QuantizationAnnotation,
  ShardingSpec,
  SparseTensor,
  TrainingInfo,
  Value,
  ValueType,
} from './model.js'
export type { AsyncPass, Diagnostic, Pass, PassResult } from './pass.js'
export { defineRewrite, type Miss, miss, type Rewrite, rewritePass } from './rewrite.js'
export { repeat, type RepeatOptions, runPass, runPasses, sequence } from './run-passes.js'
export { topologicalOrder } from './topological-order.js'
export {
  capturedValues,
  definedValues,
  freeValues,
  mapSubgraphs,
  onnxOpset,
  opsetVersion,
  subgraphsOf,
  walkGraphs,
  walkNodes,
  type WalkOptions,
} from './walk.js'
