import type { OpFacts } from './op-facts.js'

export function pool(...versions: readonly number[]): OpFacts {
  return { family: 'pool', versions, dataInputs: [0], zeroPreserving: true }
}

export const averagePool = {
  ...pool(1, 7, 10, 11, 19, 22),
  integerKernel: 'needs_output',
} satisfies OpFacts

export const globalAveragePool = { ...pool(1, 22), integerKernel: 'needs_output' } satisfies OpFacts

// Picks the largest value: 8-bit data passes through from opset 12 on.
export const maxPool = { ...pool(1, 8, 10, 11, 12, 22), sharesQuantization: 12 } satisfies OpFacts
