// Parameters of a step that exclude each other. Each is valid alone, so the table of steps cannot say.
import { staticContradictions } from '@pare/quantization'

import type { Step, StepOf } from './recipe.js'

export interface Contradiction {
  /** The parameter to change. */
  readonly parameter: string
  readonly detail: string
}

export function contradictions(step: Step): readonly Contradiction[] {
  return step.type === 'quantize_static' ? staticOnes(step) : []
}

const WIRE_NAMES = {
  activationType: 'activation_type',
  weightType: 'weight_type',
  format: 'format',
  blockSize: 'block_size',
} as const

function staticOnes(step: StepOf<'quantize_static'>): readonly Contradiction[] {
  return staticContradictions({
    activationType: step.activation_type,
    weightType: step.weight_type,
    format: step.format,
    blockSize: step.block_size,
  }).map(({ option, message }) => ({ parameter: WIRE_NAMES[option], detail: message }))
}
