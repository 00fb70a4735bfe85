// Runs both models over the data, a batch at a time, and adds up every metric that labels and
// outputs allow. Nothing but sums is kept from one batch to the next.
import type { Batch, Dataset, InputBinding } from '@pare/datasets'
import type { InferenceSession } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from './errors.js'
import { feedsFor } from './feeds.js'
import { countAccuracy, mergePairs, type PairedCounts } from './metrics/accuracy.js'
import {
  compareTensors,
  type FidelitySums,
  mergeFidelity,
  NO_FIDELITY,
} from './metrics/fidelity.js'
import { mergePairedErrors, type PairedErrors, pairErrors } from './metrics/squared-error.js'
import { dropPadding, numbersOf } from './numbers.js'
import type { MetricName } from './result.js'

export interface Sessions {
  readonly original: InferenceSession
  readonly result: InferenceSession
}

export interface JudgeOptions {
  readonly dataset: Dataset
  readonly inputs: readonly InputBinding[]
  readonly metric: MetricName
  /** The output to judge. */
  readonly output: string
  readonly batchSize: number
  /** Whether every batch must be full. */
  readonly isFixedBatch: boolean
  readonly samples: number
  readonly onSamples?: (done: number) => void
}

export interface Judgement {
  readonly samples: number
  readonly top1?: PairedCounts
  /** Absent with five classes or fewer, where it would always be right. */
  readonly top5?: PairedCounts
  readonly squaredErrors?: PairedErrors
  /** By output. */
  readonly fidelity: ReadonlyMap<string, FidelitySums>
}

type Outputs = Readonly<Record<string, RuntimeTensor>>

/**
 * Judges the models. Throws `evaluation_labels_missing`, `outputs_not_scores` or
 * `outputs_not_targets` when the metric asked for cannot be computed; other metrics are left out.
 */
export async function judge(sessions: Sessions, options: JudgeOptions): Promise<Judgement> {
  const { dataset, metric, inputs, batchSize, samples } = options
  if (metric !== 'fidelity' && dataset.labels === null) {
    throw errors.evaluation_labels_missing(
      `${metric} compares with labels and the data set has none: add an array "label", or choose the metric fidelity`,
      { details: { metric, arrays: dataset.arrays.map(({ name }) => name) } },
    )
  }
  let judgement: Judgement = { samples: 0, fidelity: new Map() }
  const remainder = options.isFixedBatch ? 'pad' : 'keep'
  for await (const batch of dataset.batches({ inputs, batchSize, limit: samples, remainder })) {
    const original = await runBatch(sessions.original, batch)
    const result = await runBatch(sessions.result, batch)
    const part = judgeBatch({ batch, original, result }, options)
    judgement = judgement.samples === 0 ? part : mergeJudgements(judgement, part)
    options.onSamples?.(judgement.samples)
  }
  if (judgement.samples === 0) throw errors.evaluation_without_samples('no sample was evaluated')
  return judgement
}

async function runBatch(session: InferenceSession, batch: Batch): Promise<Outputs> {
  const outputs = Object.entries(await session.run(feedsFor(session, batch.feeds)))
  return Object.fromEntries(
    outputs.map(([name, tensor]) => [name, dropPadding(tensor, batch.rows, batch.count)]),
  )
}

interface JudgedBatch {
  readonly batch: Batch
  readonly original: Outputs
  readonly result: Outputs
}

function judgeBatch(judged: JudgedBatch, options: JudgeOptions): Judgement {
  const { batch, original, result } = judged
  const fidelity = new Map<string, FidelitySums>()
  for (const [name, tensor] of Object.entries(original)) {
    if (tensor.dataType === 'string') continue
    fidelity.set(name, compareTensors(name, tensor, outputOf(result, name)))
  }
  const outputs = {
    original: outputOf(original, options.output),
    result: outputOf(result, options.output),
  }
  const base = { samples: batch.count, fidelity }
  if (batch.labels === undefined) return base
  return {
    ...base,
    ...judgeByLabels(outputs, { labels: batch.labels, samples: batch.count }, options),
  }
}

function judgeByLabels(
  outputs: { readonly original: RuntimeTensor; readonly result: RuntimeTensor },
  { labels, samples }: { readonly labels: RuntimeTensor; readonly samples: number },
  { metric, output }: JudgeOptions,
): Pick<Judgement, 'top1' | 'top5' | 'squaredErrors'> {
  if (metric === 'mse') {
    return { squaredErrors: pairErrors(output, outputs, { labels, samples }) }
  }
  if (metric === 'fidelity' && !looksLikeScores(outputs.original, labels)) return {}
  const { top1, top5, classes } = countAccuracy(output, outputs, labels)
  return classes > 5 || metric === 'top5' ? { top1, top5 } : { top1 }
}

/** For fidelity accuracy is an extra: given where shapes and dtypes suggest classes. */
function looksLikeScores(output: RuntimeTensor, labels: RuntimeTensor): boolean {
  const [rows, classes = 0, ...rest] = output.dims
  const perSample = labels.dims[0] === rows && labels.data.length === rows
  const isInteger = /^u?int/.test(labels.dataType)
  if (!perSample || !isInteger || classes < 2 || rest.some((size) => size !== 1)) return false
  if (!output.dataType.startsWith('float')) return false
  const values = Array.from(numbersOf('labels', labels))
  return values.every((label) => label >= 0 && label < classes)
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
    fidelity,
    ...(a.top1 && b.top1 ? { top1: mergePairs(a.top1, b.top1) } : {}),
    ...(a.top5 && b.top5 ? { top5: mergePairs(a.top5, b.top5) } : {}),
    ...(a.squaredErrors && b.squaredErrors
      ? { squaredErrors: mergePairedErrors(a.squaredErrors, b.squaredErrors) }
      : {}),
  }
}
