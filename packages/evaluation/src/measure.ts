// What a model is like between two steps of a recipe: less than an evaluation, and cheaper.
import type { SessionOptions } from '@pare/inference'

import { primaryOf, withSessions } from './evaluate.js'
import { feedsFor } from './feeds.js'
import type { LatencyComparison } from './latency/measure-latency.js'
import { compareLatency, compareLatencyApart, costsOf, type ModelCosts } from './measure-models.js'
import type { PrimaryMetric } from './result.js'
import { areLarge, describeSetting, type EvaluateOptions, servedFeeds } from './setting.js'

export interface Measurement {
  /** The same figure as `evaluate` gives; null where it was not asked for. */
  readonly primary: PrimaryMetric | null
  readonly original: ModelCosts
  readonly result: ModelCosts
  /** Null where it was not asked for. */
  readonly latency: LatencyComparison | null
}

export interface MeasureOptions extends EvaluateOptions {
  /** Whether to run both models over the data. */
  readonly judges: boolean
  /** Whether to time both. */
  readonly times: boolean
}

/** Throws what `evaluate` throws. */
export async function measure(options: MeasureOptions): Promise<Measurement> {
  const { target, judges, times } = options
  const session: SessionOptions = { intraOpThreads: target.threads, device: target.device }
  const isApart = areLarge(options)
  const { setting, ...measured } = await withSessions(options, session, async (sessions) => {
    const setting = describeSetting(options, sessions, session)
    const feeds = await servedFeeds(setting)
    return {
      setting,
      primary: judges ? await primaryOf(setting, sessions) : null,
      original: await costsOf(setting, 'original', feedsFor(sessions.original, feeds)),
      result: await costsOf(setting, 'result', feedsFor(sessions.result, feeds)),
      latency: times && !isApart ? await compareLatency(setting, sessions) : null,
    }
  })
  return times && isApart ? { ...measured, latency: await compareLatencyApart(setting) } : measured
}
