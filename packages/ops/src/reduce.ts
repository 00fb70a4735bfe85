import type { OpFacts } from './op-facts.js'

/** Reduces along axes, which are an attribute or (from opset 13 or 18) input 1. */
export const reduction = { family: 'reduction', dataInputs: [0] } satisfies OpFacts

// The largest or smallest 8-bit value stands for the largest or smallest real one.
export const reduceExtreme = { ...reduction, sharesQuantization: 12 } satisfies OpFacts
