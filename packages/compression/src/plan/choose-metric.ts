// Which metric judges a job: the one asked for, if it can be computed, or the one that fits. Pure, from
// what the inspections recorded.
import { CodedError } from '@pare/errors'
import {
  type DatasetRole,
  type JobRequest,
  metricFacts,
  type MetricName,
  METRICS,
  type RequestFault,
} from '@pare/recipe'

import type { KnownDataset } from './check-datasets.js'
import { findLabels, type KnownLabels, misfitOf } from './metric-fit.js'
import type { ValueSummary } from './model-description.js'
import { refuse } from './refuse.js'

/** What a job can be judged on. */
export interface Judgeable {
  readonly outputs: readonly ValueSummary[]
  readonly dataset: KnownDataset | undefined
  readonly role: DatasetRole
}

/** What a request says of metrics. */
export type AskedMetrics = Omit<JobRequest['evaluation'], 'each_step'>

export type OutputChoice = {
  readonly metric: MetricName
  /** Absent: the first output of the model. */
  readonly output?: string
  /** Array of its labels; absent where the data has none. */
  readonly labels?: string
  /** Why no metric judges by labels, where nobody asked for that. */
  readonly reason?: string
}

export type MetricChoice = OutputChoice & {
  /** Outputs that are judged and reported beside the one that constraints look at. */
  readonly also: readonly (OutputChoice & { readonly output: string })[]
}

/**
 * The metric asked for, or the first that fits: `top1` for a class per sample, `accuracy` for a class
 * per position or pixel, `auroc` for two classes and one score; else `fidelity`, with the reason. Of
 * several `outputs` constraints look at the one that `output` names, else at the first.
 * @throws labels_missing, metric_unsuitable, dataset_labels_not_classes, dataset_labels_out_of_range
 */
export function chooseMetric(evaluation: AskedMetrics, judgeable: Judgeable): MetricChoice {
  const { outputs = [], ...single } = evaluation
  if (outputs.length > 0) refuseBoth(single, outputs)
  const asked = outputs.map((one, index) => ({
    output: one.output,
    choice: chooseFor(one, `#/evaluation/outputs/${index}`, judgeable),
  }))
  const wanted = single.output ?? asked[0]?.output
  const primary = asked.find(({ output }) => output === wanted)
  const chosen = primary?.choice ?? chooseFor(single, '#/evaluation', judgeable)
  const also = asked.filter((one) => one !== primary)
  return { ...chosen, also: also.map(({ output, choice }) => ({ ...choice, output })) }
}

/** How a stage judges the output that constraints look at: alike in every stage that judges. */
export function judgedOutput(
  { metric, output, labels }: MetricChoice,
  { device, threads }: JobRequest['target'],
) {
  return { metric, ...given({ output, labels }), device, threads }
}

/** The same with all other outputs that are to be judged. */
export function judgedOutputs(choice: MetricChoice, target: JobRequest['target']) {
  const also = choice.also.map(beside)
  return { ...judgedOutput(choice, target), ...(also.length === 0 ? {} : { also }) }
}

function beside({ output, metric, labels }: MetricChoice['also'][number]) {
  return { output, metric, ...given({ labels }) }
}

/** What the report says of the choice: enough to ask for the same again, and why it was made. */
export function reportedMetric({ also, ...first }: MetricChoice) {
  const { metric, output, reason } = first
  const single = { metric, ...given({ output, metric_reason: reason }) }
  if (output === undefined || also.length === 0) return single
  return { ...single, outputs: [{ ...first, output }, ...also].map(beside) }
}

/** The fields that have a value: params are JSON. */
function given<Name extends string>(
  fields: Readonly<Record<Name, string | undefined>>,
): Readonly<Partial<Record<Name, string>>> {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known) as Partial<Record<Name, string>>
}

/** With `outputs`, what a single output is asked for by has another meaning, or none. */
function refuseBoth(
  { metric, output }: Pick<JobRequest['evaluation'], 'metric' | 'output'>,
  outputs: readonly { readonly output: string }[],
): void {
  const pointer = '#/evaluation'
  if (metric !== undefined) {
    const detail = 'each of the outputs has a metric of its own: name it there'
    throw refuse('metric_unsuitable', `${pointer}/metric`, 'metric_unsuitable', detail)
  }
  if (output === undefined || outputs.some((one) => one.output === output)) return
  const detail = `"${output}" is none of the outputs to judge: ${outputs.map((one) => one.output).join(', ')}`
  throw refuse('metric_unsuitable', `${pointer}/output`, 'output_unknown', detail)
}

interface AskedOutput {
  readonly output?: string
  readonly metric?: MetricName
  readonly labels?: string
}

function chooseFor(asked: AskedOutput, pointer: string, judgeable: Judgeable): OutputChoice {
  const labels = labelsFor(asked.labels, pointer, judgeable)
  const output = judgedOf(asked, pointer, judgeable, labels)
  // Unnamed, it is the first: requests of a model with one output stay alike.
  const isFirst = asked.output === undefined && output === judgeable.outputs[0]
  const common = {
    ...(isFirst ? {} : { output: output.name }),
    ...(labels === null ? {} : { labels: labels.name }),
  }
  if (asked.metric === undefined) return { ...common, ...defaultMetric(output, labels) }
  const misfit = misfitOf(asked.metric, output, labels)
  if (misfit === null) return { ...common, metric: asked.metric }
  const others = judgeable.outputs.filter((other) => fits(other, asked.metric, labels))
  const instead = [
    ...metricsThatFit(output, labels).map((name) => `"${name}"`),
    ...others.map(({ name }) => `output "${name}"`),
  ]
  throw pointedAt(`${pointer}/metric`, misfit, instead)
}

/**
 * The output asked for; else, of several, the one that the labels belong to: whose number of classes is
 * theirs, else the first that they fit, else the first. Features beside scores fit the labels too, so
 * where only that number could tell, and does not, the request has to. A metric that was asked for and
 * does not fit the first is refused.
 */
function judgedOf(
  { output: wanted, metric }: AskedOutput,
  pointer: string,
  judgeable: Judgeable,
  labels: KnownLabels | null,
): ValueSummary {
  const { outputs } = judgeable
  const first = findOutput(wanted, pointer, judgeable)
  if (wanted !== undefined || labels === null || metric === 'fidelity') return first
  if (metric !== undefined && !fits(first, metric, labels)) return first
  const fitting = outputs.filter((output) => fits(output, metric, labels))
  const exact = fitting.find((output) => hasClassesOf(labels, output))
  if (exact !== undefined) return exact
  const isScored = metric === undefined || /^class/.test(metricFacts(metric).labels)
  const sizes = new Set(fitting.map(({ shape }) => shape?.[1]))
  if (labels.kind !== 'classes' || !isScored || sizes.size < 2) return fitting[0] ?? first
  const names = fitting.map(({ name }) => `"${name}"`).join(' or ')
  const detail = `which output holds the scores of the classes, ${names}? Name it`
  throw refuse('metric_unsuitable', `${pointer}/output`, 'output_ambiguous', detail)
}

/** Whether the metric, or any that is a default, judges the output by the labels. */
function fits(
  output: ValueSummary,
  metric: MetricName | undefined,
  labels: KnownLabels | null,
): boolean {
  if (metric !== undefined) return misfitOf(metric, output, labels) === null
  return defaultMetric(output, labels).metric !== 'fidelity'
}

/** As many scores as there are classes in the labels, or one score of two. */
function hasClassesOf({ kind, max }: KnownLabels, { shape }: ValueSummary): boolean {
  if (kind !== 'classes' || max === undefined || shape === undefined) return false
  const scores = shape.length === 1 ? 1 : shape[1]
  return scores === max + 1 || (scores === 1 && max === 1)
}

function labelsFor(
  wanted: string | undefined,
  pointer: string,
  { dataset, role }: Judgeable,
): KnownLabels | null {
  const labels = dataset === undefined ? null : findLabels(dataset.description, wanted)
  if (labels !== null || wanted === undefined) return labels
  const names = dataset?.description.arrays.map(({ name }) => name) ?? []
  const detail = `the ${role} dataset has no array "${wanted}"; it has ${names.join(', ')}`
  throw refuse('labels_missing', `${pointer}/labels`, 'labels_missing', detail)
}

const DEFAULTS: readonly MetricName[] = ['top1', 'accuracy', 'auroc']

function defaultMetric(output: ValueSummary, labels: KnownLabels | null): OutputChoice {
  const metric = DEFAULTS.find((name) => {
    // Of an output whose shape is unknown only the commonest is believed.
    const isSeen = output.shape !== undefined || name === 'top1'
    return isSeen && misfitOf(name, output, labels) === null
  })
  if (metric !== undefined) return { metric }
  return { metric: 'fidelity', reason: reasonOf(output, labels) }
}

function reasonOf(output: ValueSummary, labels: KnownLabels | null): string {
  if (labels === null) return 'the data has no labels'
  if (labels.kind === 'targets') {
    return 'the labels are no classes; mse or mae, asked for, would judge by them'
  }
  const nearest = labels.kind === 'classes' ? 'top1' : 'accuracy'
  return misfitOf(nearest, output, labels)?.message ?? `the shape of "${output.name}" is not known`
}

function metricsThatFit(output: ValueSummary, labels: KnownLabels | null): readonly MetricName[] {
  return METRICS.filter((name) => misfitOf(name, output, labels) === null)
}

/** The same error, pointing at an element of the request, with what could be asked for instead. */
function pointedAt(pointer: string, misfit: CodedError, instead: readonly string[]): CodedError {
  const detail = `${misfit.message}; use ${instead.join(' or ')}`
  const fault: RequestFault = { pointer, code: misfit.code, detail }
  const details = { ...misfit.details, errors: [fault] }
  return new CodedError({ ...misfit.toJSON(), message: `${pointer}: ${detail}`, details })
}

function findOutput(
  wanted: string | undefined,
  pointer: string,
  { outputs }: Judgeable,
): ValueSummary {
  const found = wanted === undefined ? outputs[0] : outputs.find(({ name }) => name === wanted)
  if (found !== undefined) return found
  const detail = `the model has no output "${wanted ?? ''}"; its outputs: ${outputs.map(({ name }) => name).join(', ')}`
  throw refuse('metric_unsuitable', `${pointer}/output`, 'output_unknown', detail)
}
