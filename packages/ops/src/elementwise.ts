// Ops that compute each output element from the input elements at the same place.
import type { OpFacts } from './op-facts.js'

/** One input; `zeroPreserving` where f(0) = 0. */
export function activation(...versions: readonly number[]): OpFacts {
  return { family: 'activation', versions }
}

export function oddActivation(...versions: readonly number[]): OpFacts {
  return { family: 'activation', versions, zeroPreserving: true }
}

/** Arithmetic on inputs that broadcast. */
export function arithmetic(...versions: readonly number[]): OpFacts {
  return { family: 'elementwise', versions }
}

export function comparison(...versions: readonly number[]): OpFacts {
  return { family: 'comparison', versions }
}

export const add = {
  ...arithmetic(1, 6, 7, 13, 14),
  integerKernel: 'needs_output',
} satisfies OpFacts
export const mul = {
  ...arithmetic(1, 6, 7, 13, 14),
  integerKernel: 'needs_output',
} satisfies OpFacts

export const leakyRelu = {
  ...oddActivation(1, 6, 16),
  integerKernel: 'needs_output',
} satisfies OpFacts

export const sigmoid = { ...activation(1, 6, 13), integerKernel: 'needs_output' } satisfies OpFacts

export const softmax = { ...activation(1, 11, 13), integerKernel: 'needs_output' } satisfies OpFacts

// Relu and Clip stand alone in float: no integer kernel. They vanish into the producer's
// quantization instead (see foldableActivation in @pare/passes).
export const relu = oddActivation(1, 6, 13, 14)
export const clip = { ...activation(1, 6, 11, 12, 13), dataInputs: [0] } satisfies OpFacts

// zeroPreserving is decided per node for Clip (bounds may exclude 0), so its row does not claim it.
