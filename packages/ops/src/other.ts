// Ops about which compression needs to know little more than what they are.
import type { OpFacts } from './op-facts.js'

export function generator(...versions: readonly number[]): OpFacts {
  return { family: 'generator', versions }
}

/** Draws random numbers. */
export function random(...versions: readonly number[]): OpFacts {
  return { family: 'generator', versions, nondeterministic: true }
}

export function controlFlow(...versions: readonly number[]): OpFacts {
  return { family: 'control_flow', versions }
}

/** Values of sequence or optional type. */
export function sequence(...versions: readonly number[]): OpFacts {
  return { family: 'sequence', versions }
}

export function other(...versions: readonly number[]): OpFacts {
  return { family: 'other', versions }
}

// Random only in training mode, which an exported model does not use.
export const dropout = { ...other(1, 6, 7, 10, 12, 13, 22), dataInputs: [0] } satisfies OpFacts
