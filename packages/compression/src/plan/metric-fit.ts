// Can a metric be computed of an output and its labels? Answered from what the inspections recorded, as
// far as that goes: what is unknown, such as a size that depends on the data, may fit.
import { type DatasetDescription, datasetErrors, type LabelsDescription } from '@pare/datasets'
import type { CodedError } from '@pare/errors'
import { metricFacts, type MetricName } from '@pare/recipe'

import { errors } from '../errors.js'
import type { ValueSummary } from './model-description.js'

/** Labels as the data has them. */
export interface KnownLabels {
  readonly name: string
  readonly kind: LabelsDescription['kind']
  readonly dataType: string
  /** With the number of samples first. */
  readonly dims: readonly number[]
  /** Greatest label; absent where nobody looked. */
  readonly max?: number
  readonly min?: number
}

/** The labels array of a data set, or another of its arrays taken for labels; null where there is none. */
export function findLabels(
  { arrays, labels }: Pick<DatasetDescription, 'arrays' | 'labels'>,
  wanted = labels?.name,
): KnownLabels | null {
  const array = arrays.find(({ name }) => name === wanted)
  if (array === undefined) return null
  const { name, dataType, dims } = array
  const isKnown = labels?.name === name
  const range = isKnown && labels.kind !== 'targets' ? { min: labels.min, max: labels.max } : {}
  const perSample = dims.slice(1).every((size) => size === 1)
  const classes = perSample ? 'classes' : 'places'
  const kind = isKnown ? labels.kind : /^u?int/.test(dataType) ? classes : 'targets'
  return { name, dataType, dims, kind, ...range }
}

/** Why the metric cannot be computed; null where, for all that is known, it can. */
export function misfitOf(
  metric: MetricName,
  output: ValueSummary,
  labels: KnownLabels | null,
): CodedError | null {
  const need = metricFacts(metric).labels
  if (need === 'none') return null
  if (labels === null) {
    return errors.labels_missing(
      `${metric} compares with labels and the data has none; upload it with ?labels=NAME`,
    )
  }
  const asked = { metric, output, labels }
  const shape = shapeMisfit(asked)
  if (shape !== null) return shape
  switch (need) {
    case 'class':
      return classMisfit(asked)
    case 'classes':
      return placeMisfit(asked)
    case 'binary':
      return binaryMisfit(asked)
    case 'targets':
      return targetMisfit(asked)
  }
}

interface Asked {
  readonly metric: MetricName
  readonly output: ValueSummary
  readonly labels: KnownLabels
}

function shapeMisfit({ metric, output }: Asked): CodedError | null {
  const { output: wanted, labels } = metricFacts(metric)
  const { name, data_type, shape } = output
  if (shape !== undefined && wanted.ranks?.includes(shape.length) === false) {
    return unsuitable(
      `${metric} needs an output of shape ${wanted.shape}; "${name}" has rank ${shape.length}`,
    )
  }
  if (labels !== 'targets' && !data_type.startsWith('float') && data_type !== 'bfloat16') {
    return unsuitable(`${metric} needs scores, and "${name}" is ${data_type}`)
  }
  return null
}

/** One class per sample. */
function classMisfit({ metric, output, labels }: Asked): CodedError | null {
  if (labels.kind !== 'classes') {
    return datasetErrors.dataset_labels_not_classes(
      `array "${labels.name}" is not one non-negative integer per sample, as ${metric} needs: save class indices with astype("int64")`,
      { details: { array: labels.name } },
    )
  }
  const classes = output.shape?.[1]
  if (typeof classes !== 'number' || classes < 0) return null
  if (classes === 1) {
    return unsuitable(`${metric} needs a score per class, and "${output.name}" has one`)
  }
  return rangeMisfit(labels, classes)
}

/** A class per place: the output has one axis more than the labels. */
function placeMisfit({ metric, output, labels }: Asked): CodedError | null {
  const { name, shape } = output
  if (labels.kind === 'targets') {
    return datasetErrors.dataset_labels_not_classes(
      `array "${labels.name}" does not hold integers, as ${metric} needs: save class indices with astype("int64")`,
      { details: { array: labels.name } },
    )
  }
  if (shape === undefined) return null
  const last = shape.length - 1
  const axis = (shape.length > 3 ? [1, last] : [last, 1]).find(
    (at) => at > 0 && mayHaveClasses(shape[at]) && mayBe(shape.toSpliced(at, 1), labels.dims),
  )
  if (axis === undefined) {
    return unsuitable(
      `${metric} needs an output with the shape of the labels, [${labels.dims.join(', ')}], and one axis of classes more, second or last; "${name}" is [${shape.map((size) => size ?? '?').join(', ')}]`,
    )
  }
  const classes = shape[axis]
  return typeof classes === 'number' ? rangeMisfit(labels, classes) : null
}

function mayHaveClasses(size: Size | undefined): boolean {
  return typeof size !== 'number' || size < 0 || size >= 2
}

function rangeMisfit(labels: KnownLabels, classes: number): CodedError | null {
  const { name, max, dataType } = labels
  // The void of masks; what else there is, the evaluation sees.
  const isVoid = labels.kind === 'places' && dataType === 'uint8' && max === 255
  if (max === undefined || max < classes || isVoid) return null
  return datasetErrors.dataset_labels_out_of_range(
    `array "${name}" has the label ${max}, and the model has ${classes} classes, 0 to ${classes - 1}`,
    { details: { array: name, max, classes } },
  )
}

function binaryMisfit({ metric, output, labels }: Asked): CodedError | null {
  const { name, kind, min, max = 1 } = labels
  if (kind !== 'classes' || max > 1) {
    return datasetErrors.dataset_labels_not_classes(
      `array "${name}" is not 0 or 1 per sample, as ${metric} needs`,
      { details: { array: name } },
    )
  }
  if (min === max) {
    return unsuitable(`${metric} needs samples of both classes, and every label is ${max}`)
  }
  const columns = output.shape?.[1] ?? 1
  return typeof columns === 'number' && columns > 2
    ? unsuitable(`${metric} needs one score or two, and "${output.name}" has ${columns}`)
    : null
}

function targetMisfit({ metric, output, labels }: Asked): CodedError | null {
  const { name, shape } = output
  if (shape === undefined || mayBe(shape, labels.dims)) return null
  return unsuitable(
    `${metric} needs a label per element; "${name}" is [${shape.map((size) => size ?? '?').join(', ')}] and the labels are [${labels.dims.join(', ')}]`,
  )
}

type Size = number | string | null

/** Whether the shape can be these dims, but for the batch and sizes of 1. */
function mayBe(shape: readonly Size[], dims: readonly number[]): boolean {
  const known = shape.slice(1).filter((size) => size !== 1)
  const wanted = dims.slice(1)
  const isUnknown = (size: Size | undefined) => typeof size !== 'number' || size < 0
  const fits = (sizes: readonly number[]) =>
    known.length === sizes.length &&
    sizes.every((size, axis) => isUnknown(known[axis]) || known[axis] === size)
  return fits(wanted) || fits(wanted.filter((size) => size !== 1))
}

function unsuitable(detail: string): CodedError {
  return errors.metric_unsuitable(detail)
}
