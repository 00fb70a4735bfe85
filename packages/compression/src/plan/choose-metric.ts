// Which metric judges a job: the one asked for, if it can be computed, or the one that fits. Pure, from
// what the inspections recorded.
import type { DatasetRole, JobRequest, Metric } from '@pare/recipe'

import { checkClassLabels, type KnownDataset } from './check-datasets.js'
import type { ValueSummary } from './model-description.js'
import { refuse } from './refuse.js'

/** What a job is judged on. */
export interface Judged {
  readonly outputs: readonly ValueSummary[]
  readonly dataset: KnownDataset | undefined
  readonly role: DatasetRole
}

/** @throws labels_missing, metric_unsuitable, and the errors of `checkClassLabels` */
export function chooseMetric(evaluation: JobRequest['evaluation'], judged: Judged): Metric {
  const { dataset, role } = judged
  const labels = dataset?.description.labels ?? undefined
  const output = judgedOutput(evaluation, judged)
  const rank = output.shape?.length
  const scores = rank === undefined || rank === 2
  const chosen = evaluation.metric
  if (chosen === undefined) {
    return labels?.kind === 'classes' && scores && isFloat(output.data_type) ? 'top1' : 'fidelity'
  }
  if (chosen === 'fidelity') return chosen
  if (dataset === undefined || labels === undefined) {
    const detail = `${chosen} compares with labels and the ${role} dataset has none; upload it with ?labels=NAME, or use "fidelity"`
    throw refuse('labels_missing', '#/evaluation/metric', 'labels_missing', detail)
  }
  if (chosen !== 'mse' && !scores) {
    const detail = `${chosen} needs an output of shape [batch, classes]; "${output.name}" has rank ${rank}; use "mse" or "fidelity"`
    throw refuse('metric_unsuitable', '#/evaluation/metric', 'metric_unsuitable', detail)
  }
  checkClassLabels(dataset, output, chosen)
  return chosen
}

function judgedOutput(evaluation: JobRequest['evaluation'], { outputs }: Judged): ValueSummary {
  const wanted = evaluation.output
  const found = wanted === undefined ? outputs[0] : outputs.find(({ name }) => name === wanted)
  if (found !== undefined) return found
  const detail = `the model has no output "${wanted ?? ''}"; its outputs: ${outputs.map(({ name }) => name).join(', ')}`
  throw refuse('metric_unsuitable', '#/evaluation/output', 'output_unknown', detail)
}

function isFloat(dataType: string): boolean {
  return dataType.startsWith('float') || dataType === 'bfloat16'
}
