export { type Emitter, emitter, type GemmOptions } from './emit/emitter.js'
export type { ScatterReduction, SliceOptions } from './emit/layout.js'
export type { ReducedAxes, ReduceOptions } from './emit/reductions.js'
export type { EmittedAttributes, EmitterOptions, Operand, ValueName } from './emit/writer.js'
export { errors } from './errors.js'
export {
  isDeterministic,
  isNeverInteger,
  type LayerWeight,
  layerWeight,
  macsOf,
  opFacts,
  sharesQuantization,
  sinceVersion,
} from './facts.js'
export { microsoftOpTable } from './microsoft-op-table.js'
export {
  type IntegerKernel,
  type LayerKind,
  type OpFacts,
  type OpFamily,
  type ShapeOf,
} from './op-facts.js'
export { opTable } from './op-table.js'
export {
  CLASSICAL_ML_OP_TYPES,
  NEWEST_CLASSICAL_ML_OPSET,
} from './op-types/classical-ml-op-types.js'
export { MICROSOFT_OP_TYPES, type MicrosoftOpType } from './op-types/microsoft-op-types.js'
export {
  KNOWN_OP_TYPES,
  MICROSOFT_DOMAIN,
  microsoftOpRow,
  type MicrosoftOpTable,
  type OpKey,
  opKey,
  opKeyRow,
  type OpKeyTable,
  type OpName,
  opRow,
  opSet,
  type OpTable,
  ownRow,
} from './op-types/op-tables.js'
export { NEWEST_OPSET, OP_VERSIONS, type OpType } from './op-types/op-versions.js'
export {
  type Layer,
  type LayerForm,
  layerForm,
  type LayerWithoutWeight,
  readLayer,
} from './read-layer.js'
