// Ops that compute each output element from the input elements at the same place.
import type { OpFacts } from './op-facts.js'

export const activation = { family: 'activation' } satisfies OpFacts
export const integerActivation = {
  ...activation,
  integerKernel: 'needs_output',
} satisfies OpFacts

// Relu and Clip stand alone in float: no integer kernel. They vanish into the producer's
// quantization instead (see foldableActivation in @pare/passes).
export const relu = activation
export const clip = { ...activation, dataInputs: [0] } satisfies OpFacts

/** Arithmetic on inputs that broadcast. */
export const arithmetic = { family: 'elementwise' } satisfies OpFacts
export const integerArithmetic = {
  ...arithmetic,
  integerKernel: 'needs_output',
} satisfies OpFacts

export const comparison = { family: 'comparison' } satisfies OpFacts
