export { DATA_TYPES, type DataType } from './data-type.js'
export type { NumericArray, RuntimeTensor, Tensor, TensorData } from './tensor.js'
