import type { OpFacts } from './op-facts.js'

/** Reduces along axes, which are an attribute or (from opset 13 or 18) input 1. */
export function reduction(...versions: readonly number[]): OpFacts {
  return { family: 'reduction', versions, dataInputs: [0] }
}
