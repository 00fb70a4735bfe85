// The techniques, one after the other, each on what was best before.
//
// What moves ranges between channels needs new ones. Those of the compared samples alone show whether
// it is worth going on with: they are narrower, so that they favour it over what has the ranges of all
// samples. All are looked at once, when nothing will move ranges any more; what does not hold then is
// taken back, the last technique first.
import type { CalibrationStatistics } from '@pare/calibration'
import type { Model } from '@pare/graph'

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
  /** Values that are not what they were in `firm`; undefined: any may be. */
  readonly changed: Changed
  /** The last one whose ranges are those of all samples. */
  readonly firm: SearchState
  /** What was kept before, where `best` has ranges of a few samples. */
  readonly previous?: Kept
  /** Rows and diagnostics when `best` was found. */
  readonly counts: { readonly tried: number; readonly diagnostics: number }
}

function firmly(search: Search, state: SearchState): Kept {
  return { best: state, firm: state, changed: new Set(), counts: countsOf(search) }
}

function countsOf({ tried, diagnostics }: Search): Kept['counts'] {
  return { tried: tried.length, diagnostics: diagnostics.length }
}

type Changed = ReadonlySet<string> | undefined

function union(a: Changed, b: Changed): Changed {
  return a === undefined || b === undefined ? undefined : new Set([...a, ...b])
}

async function tryOne(search: Search, chosen: ChosenTechnique, kept: Kept): Promise<Kept> {
  const { best, firm } = kept
  const proposal = await propose(search, chosen, best)
  if (proposal === undefined) return kept
  const calibrated =
    proposal.statistics === undefined
      ? await calibrateAnew(search, chosen, { proposal, best })
      : { statistics: proposal.statistics, sawAll: best === firm }
  const { statistics, sawAll } = calibrated
  const state = await quantizeLike(search, best, { model: proposal.model, statistics })
  const isKept = chosen.mode === 'use' || (await holds(search, kept, { state, proposal }))
  const { name, description } = chosen.technique
  record(search, { name, description, state, chosen: isKept, note: proposal.note })
  if (!isKept) return kept
  search.diagnostics.push(...(proposal.diagnostics ?? []))
  if (sawAll) return firmly(search, state)
  const changed = union(kept.changed, proposal.changed)
  return { best: state, firm, changed, previous: kept, counts: countsOf(search) }
}

/** All samples are this many times those that are compared: more than a comparison more costs. */
const FAR = 4

/**
 * Whether a candidate is better. Where its ranges are of a few samples and those of all would take long, it
 * is not enough to be better than what has the ranges of all: that must have its own of the few.
 */
async function holds(
  search: Search,
  { best, firm }: Kept,
  { state, proposal: { changed } }: { readonly state: SearchState; readonly proposal: Proposal },
): Promise<boolean> {
  if (!isBetter(state, best)) return false
  const { model, statistics: known } = firm
  const { samples } = state.statistics
  if (best !== firm || samples * FAR > known.samples) return true
  const statistics = await recalibrate(search, { model, changed, known, samples })
  const rival = await quantizeLike(search, firm, { model, statistics })
  record(search, { ...RIVAL, state: rival, chosen: false, note: `${samples} samples` })
  return isBetter(state, rival)
}

const RIVAL = {
  name: 'few_samples',
  description: 'The best so far with ranges of as few samples as the next one has.',
}

/** What is used in any case, or calibrated in no time, need not be compared first. */
async function calibrateAnew(
  search: Search,
  { mode }: ChosenTechnique,
  { proposal, best }: { readonly proposal: Proposal; readonly best: SearchState },
): Promise<{ readonly statistics: CalibrationStatistics; readonly sawAll: boolean }> {
  const { model, changed } = proposal
  const anew = { model, changed, known: best.statistics }
  if (mode === 'use' || isQuick(search)) {
    return { statistics: await recalibrate(search, anew), sawAll: true }
  }
  const statistics = await recalibrate(search, { ...anew, samples: search.samples })
  return { statistics, sawAll: statistics.samples >= search.input.statistics.samples }
}

/** Where all samples take fewer multiply-accumulates, a second calibration costs more than they do. */
const QUICK_MACS = 3e8

function isQuick({ input: { macs = 0, statistics } }: Search): boolean {
  return macs * statistics.samples <= QUICK_MACS
}

/** Looks at what has changed, or was never seen. */
async function recalibrate(
  { input }: Search,
  given: {
    readonly model: Model
    readonly changed: Changed
    readonly known: CalibrationStatistics
    readonly samples?: number
  },
): Promise<CalibrationStatistics> {
  const { model, changed, known, samples } = given
  const only = (value: string) =>
    changed === undefined || changed.has(value) || known.tensors[value] === undefined
  const found = await input.recalibrate(model, {
    only,
    ...(samples === undefined ? {} : { samples }),
  })
  // Nothing that is observed has changed.
  if (found.samples === 0) return known
  return { ...found, tensors: { ...known.tensors, ...found.tensors } }
}

const SETTLED = {
  name: 'calibration',
  description: 'The ranges of all calibration samples for what was kept on those of a few.',
}

/** Calibrates what was kept on all samples, and takes back what is no better with these ranges. */
async function settle(search: Search, kept: Kept): Promise<Kept> {
  const { best, firm, changed, previous } = kept
  if (previous === undefined) return kept
  const { progress, tried, diagnostics } = search
  progress.expect(1)
  progress.step(SETTLED.name)
  const { model } = best
  const statistics = await recalibrate(search, { model, changed, known: firm.statistics })
  const state = await quantizeLike(search, best, { model, statistics })
  const isKept = isBetter(state, firm)
  const counts = `${statistics.samples} samples instead of ${best.statistics.samples}`
  const note = isKept ? counts : `${counts}; no better than before, so it is taken back`
  if (!isKept) {
    const before = previous.counts
    for (let i = before.tried; i < tried.length; i++) tried[i] = { ...tried[i]!, chosen: false }
    diagnostics.length = before.diagnostics
  }
  record(search, { ...SETTLED, state, chosen: isKept, note })
  return isKept ? firmly(search, state) : settle(search, previous)
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
