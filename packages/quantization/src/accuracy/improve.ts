// The techniques, one after the other, each on what was best before.
//
// What moves ranges between channels needs new ones. Those of the compared samples alone show whether
// it is worth going on with: they are narrower, so that they favour it over what it is compared with
// first. All samples are looked at once, when nothing will move ranges any more; what does not hold
// then is taken back.
import type { CalibrationStatistics } from '@pare/calibration'

import type { ChosenTechnique } from './search-input.js'
import { isBetter, quantizeLike, record, type Search } from './search-run.js'
import type { NothingToDo, Proposal, SearchState, TechniqueContext } from './technique.js'

/** Which layers are integer stays as it is in `start`. */
export async function improve(search: Search, start: SearchState): Promise<SearchState> {
  let kept = firmly(search, start)
  for (const chosen of search.input.techniques) {
    const { technique, mode } = chosen
    if (technique.movesRanges !== true || mode === 'use') kept = await settle(search, kept)
    search.progress.step(technique.name)
    kept = await tryOne(search, chosen, kept)
  }
  return (await settle(search, kept)).best
}

interface Kept {
  readonly best: SearchState
  /** The last one whose ranges are those of all samples. */
  readonly firm: SearchState
  /** Rows and diagnostics when that was found. */
  readonly tried: number
  readonly diagnostics: number
}

function firmly({ tried, diagnostics }: Search, state: SearchState): Kept {
  return { best: state, firm: state, tried: tried.length, diagnostics: diagnostics.length }
}

async function tryOne(search: Search, chosen: ChosenTechnique, kept: Kept): Promise<Kept> {
  const { best, firm } = kept
  const proposal = await propose(search, chosen, best)
  if (proposal === undefined) return kept
  const calibrated =
    proposal.statistics === undefined
      ? await calibrateAnew(search, chosen, proposal)
      : { statistics: proposal.statistics, sawAll: best === firm }
  const { statistics, sawAll } = calibrated
  const state = await quantizeLike(search, best, { model: proposal.model, statistics })
  const isKept = chosen.mode === 'use' || isBetter(state, best)
  const { name, description } = chosen.technique
  record(search, { name, description, state, chosen: isKept, note: proposal.note })
  if (!isKept) return kept
  search.diagnostics.push(...(proposal.diagnostics ?? []))
  return sawAll ? firmly(search, state) : { ...kept, best: state }
}

/** What is used in any case need not be compared first. */
async function calibrateAnew(
  { input, samples }: Search,
  { mode }: ChosenTechnique,
  { model }: Proposal,
): Promise<{ readonly statistics: CalibrationStatistics; readonly sawAll: boolean }> {
  if (mode === 'use') return { statistics: await input.recalibrate(model), sawAll: true }
  const statistics = await input.recalibrate(model, samples)
  return { statistics, sawAll: statistics.samples >= input.statistics.samples }
}

const SETTLED = {
  name: 'calibration',
  description: 'The ranges of all calibration samples for what was kept on those of a few.',
}

/** Calibrates what was kept on all samples, and takes it back where it is no better with these ranges. */
async function settle(search: Search, { best, firm, ...before }: Kept): Promise<Kept> {
  if (best === firm) return { best, firm, ...before }
  const { progress, input, tried, diagnostics } = search
  progress.expect(1)
  progress.step(SETTLED.name)
  const { model } = best
  const statistics = await input.recalibrate(model)
  const state = await quantizeLike(search, best, { model, statistics })
  const isKept = isBetter(state, firm)
  const counts = `${statistics.samples} samples instead of ${best.statistics.samples}`
  const note = isKept ? counts : `${counts}; no better than before, so it is taken back`
  if (!isKept) {
    for (let i = before.tried; i < tried.length; i++) tried[i] = { ...tried[i]!, chosen: false }
    diagnostics.length = before.diagnostics
  }
  record(search, { ...SETTLED, state, chosen: isKept, note })
  return firmly(search, isKept ? state : firm)
}

async function propose(
  search: Search,
  { technique, mode }: ChosenTechnique,
  state: SearchState,
): Promise<Proposal | undefined> {
  const { options, source } = search.input
  const { samples } = search
  const context: TechniqueContext = { options, source, samples }
  const proposal: Proposal | NothingToDo = await technique.propose(state, context, mode === 'use')
  if (!('nothing' in proposal)) return proposal
  const { name, description } = technique
  search.tried.push({
    name,
    description,
    sqnr_db: null,
    chosen: false,
    layers_float: 0,
    note: proposal.nothing,
  })
  return undefined
}
