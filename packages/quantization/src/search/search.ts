// The search for the static quantization that loses least. It begins with plain rounding and the
// ranges asked for, tries one technique after the other on what was best so far, and keeps what the
// outputs show to be better; then it measures the layers, and leaves the worst ones float where the
// caller is not content. docs/accuracy.md tells why in this order.
import type { LayerReport } from '../report/report.js'
import { quantizeVerified, type QuantizeVerifiedResult } from '../static/quantize-verified.js'
import { type Attempt, fallBack, FALLBACK_REASON } from './fallback.js'
import { improve } from './improve.js'
import { createReference } from './output-error.js'
import { hasSameNodes, withKernelsOf } from './same-nodes.js'
import type { SearchStaticInput, SearchStaticResult, SensitivityDepth } from './search-input.js'
import { ProgressCounter } from './search-progress.js'
import { type Floats, record, type Search } from './search-run.js'
import {
  type LayerSensitivity,
  measureFloatAlone,
  measureQuantizedAlone,
  rankableLayers,
  type SensitivityInput,
  sensitivityRows,
  unlessNothingIsLeft,
  worstFirst,
} from './sensitivity.js'
import { storeWeightsAsFloat16 } from './store-float16.js'
import type { SearchState } from './technique.js'

/** Samples that candidates are compared on; measured to rank them as thousands do. */
const JUDGED_SAMPLES = 64
/** Multiply-accumulates that a comparison may take; fewer samples of a large model do. */
const JUDGED_MACS = 1e9
const LEAST_SAMPLES = 8
/** Samples that a single layer is asked about, where all layers take no more than so many MACs. */
const SENSITIVITY_SAMPLES = 16
const SENSITIVITY_MACS = 2e9
/** Layers up to which `auto` asks each. */
const AUTO_LAYERS = 64

/**
 * Throws what `quantizeVerified` throws, and the errors of the runtime. Depends on its arguments
 * alone: no clock decides what is tried.
 */
export async function searchStatic(input: SearchStaticInput): Promise<SearchStaticResult> {
  const { model, source } = input
  if (hasNothingToAsk(input)) return withoutSearch(input)
  const samples = judgedSamples(input)
  const reference = await createReference({ model, source, samples })
  const progress = new ProgressCounter(input.onProgress, 1 + input.techniques.length)
  const search: Search = { input, samples, reference, progress, tried: [], diagnostics: [] }
  progress.step('nearest')
  const start = await quantizeAndCompare(search, input)
  record(search, { name: 'nearest', description: START, state: start, chosen: true })
  const improved = await improve(search, start)
  const best = improved === start ? start : await readBackAgain(search, start, improved)
  const sensitivity = await rank(search, best)
  const result = await accept(search, best)
  return {
    model: result.model,
    layers: result.layers,
    rounds: result.rounds,
    diagnostics: [...search.diagnostics, ...result.diagnostics],
    tried: search.tried,
    sensitivity,
  }
}

function hasNothingToAsk({ techniques, judge, sensitivity }: SearchStaticInput): boolean {
  return techniques.length === 0 && judge === undefined && sensitivity === 'none'
}

async function withoutSearch(input: SearchStaticInput): Promise<SearchStaticResult> {
  return { ...(await quantizeVerified(input)), tried: [], sensitivity: [] }
}

function judgedSamples({ macs = 0 }: SearchStaticInput): number {
  const affordable = Math.max(LEAST_SAMPLES, Math.floor(JUDGED_MACS / macs))
  return Math.min(JUDGED_SAMPLES, affordable)
}

const START = 'Weights rounded to nearest, ranges as calibrated.'

/** Quantizes with a look at what the runtime makes of it. */
async function quantizeAndCompare(
  { input, reference }: Search,
  { model, statistics }: Floats,
): Promise<SearchState> {
  const { options, optimize } = input
  const result = await quantizeVerified({ model, statistics, options, optimize })
  return { model, statistics, result, error: await reference.compare(result.model) }
}

/** What a technique changed may be fused otherwise, if there are other nodes now. */
async function readBackAgain(
  { input }: Search,
  start: SearchState,
  improved: SearchState,
): Promise<SearchState> {
  const { model, statistics, result } = improved
  const { options, optimize } = input
  const { forced } = result
  if (hasSameNodes(start.result.model, result.model)) {
    return { ...improved, result: { ...result, layers: withKernelsOf(start.result, result) } }
  }
  return {
    ...improved,
    result: await quantizeVerified({ model, statistics, options, optimize, forced }),
  }
}

/** What leaving single layers of a result float needs: a model for each. */
async function floatAloneInput(
  search: Search,
  { model, statistics, result }: SearchState,
): Promise<SensitivityInput> {
  const { input, progress } = search
  const samples = sensitivitySamples(search, rankableLayers(result.layers).length)
  return {
    model,
    statistics,
    options: input.options,
    forced: result.forced,
    layers: result.layers,
    reference: await createReference({ model: input.model, source: input.source, samples }),
    onLayer: (layer) => progress.step(`without ${layer.node}`),
  }
}

function sensitivitySamples({ input: { macs = 0 } }: Search, layers: number): number {
  const affordable = Math.max(1, Math.floor(SENSITIVITY_MACS / (macs * layers)))
  return Math.min(SENSITIVITY_SAMPLES, affordable)
}

async function rank(search: Search, state: SearchState): Promise<readonly LayerSensitivity[]> {
  const { sensitivity: depth, source } = search.input
  const { result, model } = state
  const { progress } = search
  const asked = rankableLayers(result.layers).length
  if (isSkipped(depth, asked)) return []
  progress.expect(asked * (depth === 'both' ? 2 : 1))
  const samples = sensitivitySamples(search, asked)
  const onLayer = (layer: LayerReport) => progress.step(`sensitivity of ${layer.node}`)
  const alone = await measureQuantizedAlone({ model, quantized: result, source, samples, onLayer })
  if (depth !== 'both') return sensitivityRows(result.layers, { alone })
  const input = await floatAloneInput(search, state)
  const whole = await input.reference.compare(result.model)
  const without = await measureFloatAlone(input)
  return sensitivityRows(result.layers, { alone, gains: { whole, without } })
}

function isSkipped(depth: SensitivityDepth, layers: number): boolean {
  return layers === 0 || depth === 'none' || (depth === 'auto' && layers > AUTO_LAYERS)
}

/** Leaves layers float until the judge is content; without a judge the first result is accepted. */
async function accept(search: Search, best: SearchState): Promise<QuantizeVerifiedResult> {
  const { judge, fallback } = search.input
  if (judge === undefined) return best.result
  const start: Attempt = {
    floats: [],
    result: best.result,
    verdict: await judge(best.result.model),
  }
  const last = search.tried.findLastIndex(({ chosen }) => chosen)
  search.tried[last] = { ...search.tried[last]!, drop: start.verdict.drop }
  if (start.verdict.met || fallback === 'none') return best.result
  const ranking = worstFirst(await measureFloatAlone(await floatAloneInput(search, best)))
  const found = await fallBack({
    start,
    ranking,
    attempt: (floats) => attemptWithout(search, best, floats),
  })
  for (const one of found.attempts) await recordAttempt(search, best, one, one === found.best)
  return found.best.result
}

async function attemptWithout(
  { input, progress }: Search,
  { model, statistics, result: { forced } }: SearchState,
  floats: readonly string[],
): Promise<Attempt | undefined> {
  const { options, optimize, judge } = input
  progress.step(`${floats.length} layers in float`)
  const all = new Map(forced)
  for (const output of floats) all.set(output, FALLBACK_REASON)
  const quantized = await unlessNothingIsLeft(() =>
    quantizeVerified({ model, statistics, options, optimize, forced: all }),
  )
  if (quantized === undefined || judge === undefined) return undefined
  const result =
    input.fallback === 'float16'
      ? { ...quantized, model: storeWeightsAsFloat16(quantized.model, floats) }
      : quantized
  return { floats, result, verdict: await judge(result.model) }
}

async function recordAttempt(
  search: Search,
  { model, statistics }: SearchState,
  { floats, result, verdict }: Attempt,
  chosen: boolean,
): Promise<void> {
  const state = { model, statistics, result, error: await search.reference.compare(result.model) }
  const note = floats.join(', ')
  const description = `${floats.length} layers left float.`
  record(search, { name: 'fallback', description, state, chosen, drop: verdict.drop, note })
}
