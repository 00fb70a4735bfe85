import type { OpFacts } from './op-facts.js'

export const quantization = { family: 'quantization', dataInputs: [0] } satisfies OpFacts
