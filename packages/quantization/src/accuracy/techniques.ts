// The techniques of the search, in the order in which they are tried: what moves ranges between
// layers first, then how weights are rounded, and last the mean of what is still wrong.
import type { ChosenTechnique } from './search.js'

export const BIAS_CORRECTIONS = ['auto', 'fast', 'full', 'none'] as const

/** What the caller wants of each technique: `auto` tries it where it may help. */
export interface TechniqueOptions {
  readonly equalization: 'auto' | boolean
  readonly smoothQuant: 'auto' | boolean
  readonly smoothQuantAlpha: number
  readonly rounding: 'nearest' | 'adaround'
  readonly biasCorrection: (typeof BIAS_CORRECTIONS)[number]
}

export function chooseTechniques(_options: TechniqueOptions): readonly ChosenTechnique[] {
  return []
}
