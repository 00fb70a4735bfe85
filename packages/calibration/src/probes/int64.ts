import type { RuntimeTensor } from '@pare/tensor'

/** An int64 of shape [1], as inputs of nodes that slice and reshape are. */
export function int64(value: number): RuntimeTensor {
  return { dataType: 'int64', dims: [1], data: BigInt64Array.of(BigInt(value)) }
}
