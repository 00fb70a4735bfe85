import type { OpFacts } from './op-facts.js'

/** Reduces along axes, which are an attribute or (from opset 13 or 18) input 1. */
export function reduction(...versions: readonly number[]): OpFacts {
  return { family: 'reduction', versions, dataInputs: [0] }
}

// The largest or smallest 8-bit value stands for the largest or smallest real one.
export const reduceMax = {
  ...reduction(1, 11, 12, 13, 18, 20),
  sharesQuantization: 12,
} satisfies OpFacts
export const reduceMin = reduceMax
