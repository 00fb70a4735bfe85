// Ops that move, repeat, drop or pick values and compute nothing.
import type { OpFacts } from './op-facts.js'

/** Reads its shape, axes or indices from the further inputs. */
function moves(versions: readonly number[], sharesQuantization: number): OpFacts {
  return { family: 'layout', versions, dataInputs: [0], sharesQuantization, zeroPreserving: true }
}

export const depthToSpace = moves([1, 11, 13], 13)
export const expand = moves([8, 13], 8)
export const flatten = moves([1, 9, 11, 13, 21, 23], 9)
export const gather = moves([1, 11, 13], 1)
export const gatherElements = moves([11, 13], 11)
export const identity = moves([1, 13, 14, 16, 19, 21, 23, 24], 1)
export const reshape = moves([1, 5, 13, 14, 19, 21, 23], 5)
export const resize = moves([10, 11, 13, 18, 19], 11)
export const slice = moves([1, 10, 11, 13], 10)
export const split = moves([1, 2, 11, 13, 18], 13)
export const squeeze = moves([1, 11, 13, 21, 23], 1)
export const tile = moves([1, 6, 13], 6)
export const transpose = moves([1, 13, 21, 23], 1)
export const unsqueeze = moves([1, 11, 13, 21, 23], 1)

/** Moves values too, but onnxruntime computes it in float between Q and DQ. */
export function layout(...versions: readonly number[]): OpFacts {
  return { family: 'layout', versions, dataInputs: [0], zeroPreserving: true }
}

/** Every input is data. */
export const concat = {
  family: 'layout',
  versions: [1, 4, 11, 13],
  integerKernel: 'needs_output',
  zeroPreserving: true,
} satisfies OpFacts

// A constant other than 0 breaks zeroPreserving, so the row does not claim it.
export const pad = {
  family: 'layout',
  versions: [1, 2, 11, 13, 18, 19, 21, 23],
  dataInputs: [0],
} satisfies OpFacts

/** Picks values by a condition or by their order. */
export function selection(...versions: readonly number[]): OpFacts {
  return { family: 'selection', versions }
}

// Chooses between two inputs; each may have its own scale.
export const where = {
  family: 'selection',
  versions: [9, 16],
  dataInputs: [1, 2],
  integerKernel: 'needs_output',
} satisfies OpFacts
