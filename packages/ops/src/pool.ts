import type { OpFacts } from './op-facts.js'

export const pool = { family: 'pool', dataInputs: [0] } satisfies OpFacts

export const averagePool = { ...pool, integerKernel: 'needs_output' } satisfies OpFacts

// Picks the largest value: 8-bit data passes through from opset 12 on.
export const maxPool = { ...pool, sharesQuantization: 12 } satisfies OpFacts
