// One run of the search: what its parts share.
import type { Diagnostic } from '@pare/graph'

import { quantizeExcept } from '../static/quantize-static.js'
import type { Reference } from './output-error.js'
import type { SearchStaticInput, TriedCandidate } from './search-input.js'
import type { ProgressCounter } from './search-progress.js'
import type { SearchState } from './technique.js'

export interface Search {
  readonly input: SearchStaticInput
  /** That candidates are compared on. */
  readonly samples: number
  readonly reference: Reference
  readonly progress: ProgressCounter
  readonly tried: TriedCandidate[]
  readonly diagnostics: Diagnostic[]
}

export type Floats = Pick<SearchState, 'model' | 'statistics'>

export interface Candidate {
  readonly name: string
  readonly description: string
  readonly state: SearchState
  readonly chosen: boolean
  readonly note?: string
  readonly drop?: number | null
}

export function record({ tried }: Search, { state, ...candidate }: Candidate): void {
  const layersFloat = state.result.layers.filter(({ decision }) => decision === 'float').length
  tried.push({ ...candidate, sqnr_db: state.error.sqnrDb, layers_float: layersFloat })
}

/** Leaves those layers float that are. */
export async function quantizeLike(
  { input, reference }: Search,
  { result: { forced, rounds } }: SearchState,
  floats: Floats,
): Promise<SearchState> {
  const { options } = input
  const quantized = quantizeExcept(floats.model, floats.statistics, { options, forced })
  return {
    ...floats,
    result: { ...quantized, forced, rounds },
    error: await reference.compare(quantized.model),
  }
}

/** What a candidate must gain to be kept: less is within what other samples would say. */
const MIN_GAIN_DB = 0.3

export function isBetter(state: SearchState, best: SearchState): boolean {
  return state.error.noise < best.error.noise * 10 ** (-MIN_GAIN_DB / 10)
}
