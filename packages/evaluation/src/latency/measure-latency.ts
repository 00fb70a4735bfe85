// Latency of two models measured in alternation: a processor that slows down while measuring slows
// both down alike, and the ratio of neighbouring blocks does not see it.
import type { InferenceSession } from '@pare/inference'

import { type Feeds, feedsFor } from '../feeds.js'
import { type Interval, median, medianInterval, quantile } from '../statistics.js'
import { planRounds, type RoundLimits, type RoundPlan } from './plan-rounds.js'

export type { Feeds } from '../feeds.js'

export interface LatencyOptions {
  /** Wanted duration of the measurement, warm-up not counted. Default 2,000 ms. */
  readonly budgetMs?: number
  /** At least this many rounds, whatever they take. Default 7: enough for an interval. */
  readonly minRounds?: number
  /** Default 200. */
  readonly maxRounds?: number
  /** Unmeasured runs of each model. Default 5. */
  readonly warmUpRuns?: number
  /** Milliseconds since some fixed moment. Default `performance.now`. */
  readonly clock?: () => number
}

export interface LatencySummary {
  readonly p50_ms: number
  readonly p95_ms: number
  readonly mean_ms: number
  readonly runs: number
}

export interface LatencyComparison {
  readonly original: LatencySummary
  readonly result: LatencySummary
  /** How many times as fast the result is: median over rounds of original / result. */
  readonly speedup: number
  /** 95 % interval of that median, from order statistics. */
  readonly speedup_interval: Interval
  readonly rounds: number
  readonly runs_per_block: number
}

const DEFAULTS: RoundLimits & { readonly warmUpRuns: number } = {
  budgetMs: 1400,
  minRounds: 7,
  maxRounds: 200,
  warmUpRuns: 5,
}

interface Pair<Value> {
  readonly original: Value
  readonly result: Value
}

/** Runs both sessions on the same feeds, block by block in turn. */
export async function measureLatency(
  sessions: Pair<InferenceSession>,
  feeds: Feeds,
  options: LatencyOptions = {},
): Promise<LatencyComparison> {
  const { clock = () => performance.now(), ...limits } = { ...DEFAULTS, ...options }
  // Converted beforehand: whoever serves a float16 model has its data in float16.
  const originalFeeds = feedsFor(sessions.original, feeds)
  const resultFeeds = feedsFor(sessions.result, feeds)
  const timeOriginal = () => timeRun(sessions.original, originalFeeds, clock)
  const timeResult = () => timeRun(sessions.result, resultFeeds, clock)
  const warmUp: number[] = []
  for (let run = 0; run < Math.max(1, limits.warmUpRuns); run++) {
    warmUp.push((await timeOriginal()) + (await timeResult()))
  }
  const plan = planRounds(median(warmUp), limits)
  const times: Pair<number[]> = { original: [], result: [] }
  for (let round = 0; round < plan.rounds; round++) {
    const blocks = [
      () => timeBlock(timeOriginal, plan, times.original),
      () => timeBlock(timeResult, plan, times.result),
    ]
    for (const block of round % 2 === 0 ? blocks : blocks.reverse()) await block()
  }
  return summarize(times, plan)
}

/**
 * The same with one model in memory at a time, for those that are too large to be there together: all
 * blocks of the original, then all of the result. A processor that changes its speed in between is
 * seen in the speedup.
 */
export async function measureLatencyApart(
  open: Pair<() => Promise<InferenceSession>>,
  feeds: Feeds,
  options: LatencyOptions = {},
): Promise<LatencyComparison> {
  const { clock = () => performance.now(), ...limits } = { ...DEFAULTS, ...options }
  const times: Pair<number[]> = { original: [], result: [] }
  let plan: RoundPlan | undefined
  for (const which of ['original', 'result'] as const) {
    const session = await open[which]()
    try {
      const own = feedsFor(session, feeds)
      const time = () => timeRun(session, own, clock)
      const warmUp: number[] = []
      await timeBlock(time, { rounds: 1, runsPerBlock: Math.max(1, limits.warmUpRuns) }, warmUp)
      plan ??= planRounds(2 * median(warmUp), limits)
      for (let round = 0; round < plan.rounds; round++) await timeBlock(time, plan, times[which])
    } finally {
      await session.release()
    }
  }
  return summarize(times, plan!)
}

async function timeBlock(
  time: () => Promise<number>,
  plan: RoundPlan,
  times: number[],
): Promise<void> {
  for (let run = 0; run < plan.runsPerBlock; run++) times.push(await time())
}

async function timeRun(session: InferenceSession, feeds: Feeds, clock: () => number) {
  const start = clock()
  await session.run(feeds)
  return clock() - start
}

function summarize(times: Pair<readonly number[]>, plan: RoundPlan): LatencyComparison {
  const blockMedians = (all: readonly number[]) =>
    Array.from({ length: plan.rounds }, (_, round) =>
      median(all.slice(round * plan.runsPerBlock, (round + 1) * plan.runsPerBlock)),
    )
  const results = blockMedians(times.result)
  const ratios = blockMedians(times.original).map((time, round) => time / results[round]!)
  return {
    original: summarizeRuns(times.original),
    result: summarizeRuns(times.result),
    speedup: median(ratios),
    speedup_interval: medianInterval(ratios),
    rounds: plan.rounds,
    runs_per_block: plan.runsPerBlock,
  }
}

function summarizeRuns(times: readonly number[]): LatencySummary {
  return {
    p50_ms: quantile(times, 0.5),
    p95_ms: quantile(times, 0.95),
    mean_ms: times.reduce((sum, time) => sum + time, 0) / times.length,
    runs: times.length,
  }
}
