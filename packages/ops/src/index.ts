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
  OP_FAMILIES,
  type OpFacts,
  type OpFamily,
  type ShapeOf,
} from './op-facts.js'
export { NEWEST_KNOWN_OPSET, type OnnxOp, opTable } from './op-table.js'
