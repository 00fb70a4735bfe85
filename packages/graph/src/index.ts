export type {
  Attribute,
  Dimension,
  FunctionDefinition,
  Graph,
  MetadataProp,
  Model,
  Node,
  OpsetImport,
  SparseTensor,
  Value,
  ValueType,
} from './model.js'
export type { Diagnostic, Pass, PassResult } from './pass.js'
