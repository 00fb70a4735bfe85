import type { OpFacts } from './op-facts.js'

export const quantizeLinear = quantization(10, 13, 19, 21, 23)
export const dequantizeLinear = quantization(10, 13, 19, 21, 23)
export const dynamicQuantizeLinear = quantization(11)

export function quantization(...versions: readonly number[]): OpFacts {
  return { family: 'quantization', versions, dataInputs: [0] }
}
