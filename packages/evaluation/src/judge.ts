// Runs both models over the data, a batch at a time, and adds up every metric that labels and
// outputs allow. Nothing but what metrics count is kept from one batch to the next.
import { type Batch, type Dataset, type DatasetMatch, sampleSource } from '@pare/datasets'
import type { InferenceSession } from '@pare/inference'
import { metricFacts, type MetricName } from '@pare/recipe'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from './errors.js'
import { feedsFor } from './feeds.js'
import {
  compareTensors,
  type FidelitySums,
  mergeFidelity,
  NO_FIDELITY,
} from './metrics/fidelity.js'
import { countMetrics, mergeMetrics, type MetricSums } from './metrics/metric-table.js'
import { dropPadding } from './numbers.js'

export interface Sessions {
  readonly original: InferenceSession
  readonly result: InferenceSession
}

/** An output and how to judge it. */
export interface OutputToJudge {
  readonly output: string
  readonly metric: MetricName
  /** Array with its labels. Default: the labels of the data set. */
  readonly labels?: string
}

export interface JudgeOptions {
  readonly dataset: Dataset
  readonly match: Pick<DatasetMatch, 'inputs' | 'fixedBatchSize'>
  readonly judged: readonly OutputToJudge[]
  readonly batchSize: number
  readonly samples: number
  readonly onSamples?: (done: number) => void
}

export interface Judgement {
  readonly samples: number
  /** By output asked for, in their order: the sums of its metric and of those beside it. */
  readonly judged: readonly MetricSums[]
  /** By output. */
  readonly fidelity: ReadonlyMap<string, FidelitySums>
}

type Outputs = Readonly<Record<string, RuntimeTensor>>

/**
 * Judges the models. Throws `evaluation_labels_missing`, `outputs_not_scores` or
 * `outputs_not_targets` when a metric asked for cannot be computed; other metrics are left out.
 */
export async function judge(sessions: Sessions, options: JudgeOptions): Promise<Judgement> {
  const { dataset, match, batchSize, samples } = options
  options.judged.forEach((asked) => requireLabels(asked, dataset))
  let judgement: Judgement = { samples: 0, judged: [], fidelity: new Map() }
  const labelArrays = options.judged.flatMap(({ labels }) => labels ?? [])
  const source = sampleSource(dataset, { match, batchSize, labelArrays, limit: samples })
  for await (const batch of source.batches()) {
    const original = await runBatch(sessions.original, batch)
    const result = await runBatch(sessions.result, batch)
    const part = judgeBatch({ batch, original, result }, options)
    judgement = judgement.samples === 0 ? part : mergeJudgements(judgement, part)
    options.onSamples?.(judgement.samples)
  }
  if (judgement.samples === 0) throw errors.evaluation_without_samples('no sample was evaluated')
  return judgement
}

function requireLabels({ metric, labels }: OutputToJudge, { labels: own, arrays }: Dataset): void {
  if (metricFacts(metric).labels === 'none') return
  const names = arrays.map(({ name }) => name)
  const wanted = labels ?? own
  if (wanted !== null && names.includes(wanted)) return
  const lack = labels === undefined ? 'none' : `no array "${labels}"`
  throw errors.evaluation_labels_missing(
    `${metric} compares with labels and the data set has ${lack}: add an array "${labels ?? 'label'}", or choose the metric fidelity`,
    { details: { metric, arrays: names } },
  )
}

function labelsOf(batch: Batch, { labels }: OutputToJudge): RuntimeTensor | null {
  const found = labels === undefined ? batch.labels : batch.labelArrays?.[labels]
  return found ?? null
}

async function runBatch(session: InferenceSession, batch: Batch): Promise<Outputs> {
  const outputs = Object.entries(await session.run(feedsFor(session, batch.feeds)))
  return Object.fromEntries(
    outputs.map(([name, tensor]) => [name, dropPadding(tensor, batch.rows, batch.count)]),
  )
}

interface BatchOutputs {
  readonly batch: Batch
  readonly original: Outputs
  readonly result: Outputs
}

function judgeBatch({ batch, original, result }: BatchOutputs, options: JudgeOptions): Judgement {
  const fidelity = new Map<string, FidelitySums>()
  for (const [name, tensor] of Object.entries(original)) {
    if (tensor.dataType === 'string') continue
    fidelity.set(name, compareTensors(name, tensor, outputOf(result, name)))
  }
  const judged = options.judged.map((asked) =>
    countMetrics(asked.metric, {
      output: asked.output,
      original: outputOf(original, asked.output),
      result: outputOf(result, asked.output),
      labels: labelsOf(batch, asked),
      samples: batch.count,
      fidelity: fidelity.get(asked.output) ?? NO_FIDELITY,
    }),
  )
  return { samples: batch.count, judged, fidelity }
}

function outputOf(outputs: Outputs, name: string): RuntimeTensor {
  const output = outputs[name]
  if (output !== undefined) return output
  throw errors.outputs_differ(`the result has no output "${name}"`, {
    details: { output: name, outputs: Object.keys(outputs) },
  })
}

/** The judgement of two parts of the data together; a metric that one of them lacks is left out. */
export function mergeJudgements(a: Judgement, b: Judgement): Judgement {
  const fidelity = new Map<string, FidelitySums>()
  for (const [name, sums] of a.fidelity) {
    fidelity.set(name, mergeFidelity(sums, b.fidelity.get(name) ?? NO_FIDELITY))
  }
  return {
    samples: a.samples + b.samples,
    judged: a.judged.map((sums, index) => mergeMetrics(sums, b.judged[index] ?? {})),
    fidelity,
  }
}
