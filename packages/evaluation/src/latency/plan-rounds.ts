// How often to run which model. Fixed before the first measurement, so that no result can decide
// when the measuring stops.

export interface RoundPlan {
  /** Each round runs one block of each model, in an order that alternates from round to round. */
  readonly rounds: number
  readonly runsPerBlock: number
}

export interface RoundLimits {
  readonly budgetMs: number
  readonly minRounds: number
  readonly maxRounds: number
}

/** A block should last this long, so that a timer tick or a context switch weighs little. */
const BLOCK_MS = 10
const MAX_RUNS_PER_BLOCK = 50

/** `runMs` is the time of one run of both models together. */
export function planRounds(runMs: number, limits: RoundLimits): RoundPlan {
  const time = Math.max(runMs, 1e-3)
  const runsPerBlock = clamp(Math.ceil((2 * BLOCK_MS) / time), 1, MAX_RUNS_PER_BLOCK)
  const rounds = clamp(
    Math.floor(limits.budgetMs / (time * runsPerBlock)),
    limits.minRounds,
    limits.maxRounds,
  )
  return { rounds, runsPerBlock }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}
