// Ops about which compression needs to know little more than what they are.
import type { OpFacts } from './op-facts.js'

export const generator = { family: 'generator' } satisfies OpFacts

/** Draws random numbers. */
export const random = { family: 'generator', nondeterministic: true } satisfies OpFacts

export const controlFlow = { family: 'control_flow' } satisfies OpFacts

/** Values of sequence or optional type. */
export const sequence = { family: 'sequence' } satisfies OpFacts

export const other = { family: 'other' } satisfies OpFacts

// Random only in training mode, which an exported model does not use.
export const dropout = { ...other, dataInputs: [0] } satisfies OpFacts
