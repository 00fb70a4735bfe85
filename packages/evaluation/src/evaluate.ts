// Evaluates a result beside its original on the same data, in fresh sessions, with the options of
// the target: the file that is delivered, as it will be served.
import { cpuFeatures, type SessionOptions } from '@pare/inference'

import { judge, type Judgement, type Sessions } from './judge.js'
import type { LatencyComparison } from './latency/measure-latency.js'
import {
  compareLatency,
  compareLatencyApart,
  compareLayers,
  measureModels,
} from './measure-models.js'
import { sessionSource } from './model/model-source.js'
import { compareProfiles } from './profile/compare-profiles.js'
import type {
  EvaluationResult,
  JudgedOutput,
  ModelMeasurements,
  PrimaryMetric,
  Ratios,
} from './result.js'
import {
  areLarge,
  describeSetting,
  type EvaluateOptions,
  judgedBatchSize,
  servedBatchSize,
  type Setting,
} from './setting.js'
import { summarizeFidelity, summarizeOutput } from './summarize.js'

/**
 * Evaluates. Throws the errors of `matchDataset`, `judge` and the runtime, and `output_unknown`.
 * Everything but latency and memory depends on the arguments alone.
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationResult> {
  const { runtime, target } = options
  const session: SessionOptions = { intraOpThreads: target.threads, device: target.device }
  const judged = await withSessions(options, session, async (sessions) => {
    const setting = describeSetting(options, sessions, session)
    const judgement = await judgeModels(setting, sessions, judgedBatchSize(setting))
    const latency = areLarge(options) ? null : await compareLatency(setting, sessions)
    return { setting, sessions, judgement, latency }
  })
  // What follows opens sessions of its own; large models are not to be in memory twice.
  const { setting, sessions, judgement } = judged
  const latency = judged.latency ?? (await compareLatencyApart(setting))
  const { original, result } = await measureModels(setting, sessions, latency)
  const { primary, metrics, also_judged } = summarizeOutputs(setting, judgement)
  return {
    primary,
    metrics,
    also_judged,
    fidelity: summarizeFidelity(judgement),
    original,
    result,
    ratios: ratiosOf(original, result, latency.speedup),
    latency: withoutSummaries(latency, servedBatchSize(setting)),
    layers: await compareLayers(setting),
    ...(await compareProfiles(setting)),
    samples: judgement.samples,
    batch_size: judgedBatchSize(setting),
    environment: {
      runtime: { name: runtime.name, version: runtime.version },
      device: target.device,
      threads: target.threads,
      cpu: cpuFeatures(),
    },
  }
}

/**
 * The primary metric alone, the same figure as `evaluate` gives: for those who judge one candidate
 * after the other. Throws what `evaluate` throws.
 */
export async function judgePrimary(options: EvaluateOptions): Promise<PrimaryMetric> {
  const { target } = options
  const session: SessionOptions = { intraOpThreads: target.threads, device: target.device }
  return withSessions(options, session, (sessions) =>
    primaryOf(describeSetting({ ...options, also: [] }, sessions, session), sessions),
  )
}

export async function primaryOf(setting: Setting, sessions: Sessions): Promise<PrimaryMetric> {
  const judgement = await judgeModels(setting, sessions, judgedBatchSize(setting))
  return summarizeOutputs(setting, judgement).primary
}

function summarizeOutputs(
  { judged }: Setting,
  judgement: Judgement,
): Pick<EvaluationResult, 'primary' | 'metrics' | 'also_judged'> {
  const [first, ...also_judged] = judged.map((asked, index): JudgedOutput =>
    summarizeOutput(asked, judgement.judged[index] ?? {}),
  )
  if (first === undefined) throw new Error('no output was judged')
  return { primary: first.primary, metrics: first.metrics, also_judged }
}

/** Opens both models for `use` and closes them whatever happens. */
export async function withSessions<Result>(
  options: EvaluateOptions,
  session: SessionOptions,
  use: (sessions: Sessions) => Promise<Result>,
): Promise<Result> {
  const { runtime, original, result } = options
  // Weights that are not packed stay mapped from their file.
  const mapped = { ...session, config: { 'session.disable_prepacking': '1' } }
  const first = await runtime.createSession(
    sessionSource(original),
    areLarge(options) ? mapped : session,
  )
  try {
    const second = await runtime.createSession(sessionSource(result), session)
    try {
      return await use({ original: first, result: second })
    } finally {
      await second.release()
    }
  } finally {
    await first.release()
  }
}

function judgeModels(setting: Setting, sessions: Sessions, batchSize: number) {
  const { options, inputs, fixedBatchSize, judged } = setting
  const { dataset, onProgress } = options
  const total = Math.min(dataset.samples, options.samples ?? Infinity)
  return judge(sessions, {
    dataset,
    match: { inputs, fixedBatchSize },
    judged,
    batchSize,
    samples: total,
    onSamples: (done) => onProgress?.({ done, total, unit: 'samples', message: 'accuracy' }),
  })
}

function ratiosOf(original: ModelMeasurements, result: ModelMeasurements, speed: number): Ratios {
  return {
    size: result.size.bytes / original.size.bytes,
    size_gzip: result.size.gzip_bytes / original.size.gzip_bytes,
    speed,
    memory:
      original.memory && result.memory && original.memory.increase_bytes > 0
        ? result.memory.increase_bytes / original.memory.increase_bytes
        : null,
    parameters: original.parameters === 0 ? 1 : result.parameters / original.parameters,
    macs: original.macs === 0 ? null : result.macs / original.macs,
  }
}

function withoutSummaries(
  { speedup, speedup_interval, rounds, runs_per_block }: LatencyComparison,
  batchSize: number,
): EvaluationResult['latency'] {
  return { speedup, speedup_interval, rounds, runs_per_block, batch_size: batchSize }
}
