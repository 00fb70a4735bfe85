export {
  bytesOf,
  fromRuntimeTensor,
  storedArray,
  tensorFromFloat32,
  tensorFromFloats,
  tensorFromInts,
  tensorFromStored,
  tensorFromStrings,
  toFloat32,
  toIntegers,
  toNumbers,
  toRuntimeTensor,
  toStrings,
} from './convert.js'
export { bitsOf, DATA_TYPES, type DataType, sizeOf } from './data-type.js'
export { dataTypeNumber, dataTypeOfNumber } from './data-type-number.js'
export { errors } from './errors.js'
export { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from './float16.js'
export {
  decodeFloat8e8m0,
  decodeMiniFloat,
  encodeFloat8e8m0,
  encodeMiniFloat,
  type Float8e8m0Options,
  type FloatEncodeOptions,
  type MiniFloatType,
} from './minifloat.js'
export { isPackedType, pack, PACKED_FORMATS, type PackedType, unpack } from './packing.js'
export { createRandom, type Random } from './random.js'
export { clamp, roundHalfToEven } from './rounding.js'
export { byteLengthOf, elementCount } from './shape.js'
export type { NumericArray, RuntimeTensor, Tensor, TensorData } from './tensor.js'
