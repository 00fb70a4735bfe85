// Falling back: the fewest layers left float with which the caller is content.
import { type WhyNot, whyNot } from '@pare/recipe'

import type { QuantizeVerifiedResult } from '../static/quantize-verified.js'

/** What the caller found when it judged a candidate. */
export interface Verdict {
  readonly met: boolean
  /** The loss that was judged, for the record; null where it cannot be told. */
  readonly drop: number | null
}

export interface Attempt {
  /** Outputs of the layers left float. */
  readonly floats: readonly string[]
  readonly result: QuantizeVerifiedResult
  readonly verdict: Verdict
}

export interface FallbackInput {
  /** The candidate that was not good enough. */
  readonly start: Attempt
  /** Outputs of its layers, the one whose integers cost most first. */
  readonly ranking: readonly string[]
  /** Quantizes again with these layers in float; undefined when nothing would be left. */
  readonly attempt: (floats: readonly string[]) => Promise<Attempt | undefined>
}

export interface FallbackResult {
  /** The accepted candidate with the fewest layers in float; else the best there was. */
  readonly best: Attempt
  readonly attempts: readonly Attempt[]
}

/**
 * Doubles the number of layers left float, in the order of the ranking, until the caller is content;
 * halves back to the smallest such number; and then tries to take back each layer by itself. With n
 * layers and k in the answer this takes about 2 log₂ k + k attempts.
 */
export async function fallBack(input: FallbackInput): Promise<FallbackResult> {
  const { ranking } = input
  const attempts: Attempt[] = []
  const ask = async (floats: readonly string[]): Promise<Attempt | undefined> => {
    const attempt = await input.attempt(floats)
    if (attempt !== undefined) attempts.push(attempt)
    return attempt
  }
  let [below, accepted] = await gallop(ranking, ask)
  if (accepted === undefined) return { best: leastDrop([input.start, ...attempts]), attempts }
  while (accepted.floats.length - below > 1) {
    const middle = Math.floor((below + accepted.floats.length) / 2)
    const attempt = await ask(ranking.slice(0, middle))
    if (attempt?.verdict.met === true) accepted = attempt
    else below = middle
  }
  return { best: await takeBack(accepted, ask), attempts }
}

type Ask = (floats: readonly string[]) => Promise<Attempt | undefined>

/** The largest prefix that failed and the first, twice as long, that did not. */
async function gallop(
  ranking: readonly string[],
  ask: Ask,
): Promise<[number, Attempt | undefined]> {
  // With every layer in float nothing would be left.
  const most = ranking.length - 1
  let below = 0
  for (let count = 1; below < most; count = Math.min(count * 2, most)) {
    const attempt = await ask(ranking.slice(0, count))
    if (attempt?.verdict.met === true) return [below, attempt]
    below = count
  }
  return [below, undefined]
}

/** The last layer of the prefix is needed; each before it may have become needless with it. */
async function takeBack(accepted: Attempt, ask: Ask): Promise<Attempt> {
  let best = accepted
  for (const output of accepted.floats.slice(0, -1).reverse()) {
    const attempt = await ask(best.floats.filter((float) => float !== output))
    if (attempt?.verdict.met === true) best = attempt
  }
  return best
}

function leastDrop(attempts: readonly Attempt[]): Attempt {
  return attempts.reduce((best, attempt) =>
    (attempt.verdict.drop ?? Infinity) < (best.verdict.drop ?? Infinity) ? attempt : best,
  )
}

export const FALLBACK_REASON: WhyNot = whyNot(
  'accuracy_fallback',
  'in integers it costs more accuracy than the job allows',
)
