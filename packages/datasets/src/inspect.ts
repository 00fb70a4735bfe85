// Reads all of a data set once and says what it is. What would spoil a job is an error; what only
// looks wrong is a check.
import { type ArraySource, openArrays, type OpenOptions } from './array-source.js'
import {
  type ArrayStatistics,
  countDuplicates,
  createFingerprints,
  measureArray,
} from './array-statistics.js'
import type { DatasetCheck, DatasetDescription, LabelsDescription } from './description.js'
import { errors } from './errors.js'
import { DEFAULT_LIMITS } from './limits.js'
import type { RandomAccess } from './random-access.js'

export interface InspectOptions extends OpenOptions {
  /** Name of the labels array. Default: `label` or `labels`, if there is one. */
  readonly labels?: string
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
}

const DEFAULT_LABELS = ['label', 'labels']
/** Beyond this, duplicates are not looked for: their fingerprints would take more than 16 MB. */
const MAX_FINGERPRINTED_SAMPLES = 1 << 21

/**
 * Describes a data set after reading every element, array by array, a piece at a time. Throws the
 * `dataset_*` error of the first fault found: format, limits, dtype, no samples, different numbers
 * of samples, a labels array that is asked for and absent, NaN.
 */
export async function inspectDataset(
  source: RandomAccess,
  options: InspectOptions = {},
): Promise<DatasetDescription> {
  const arrays = byName(await openArrays(source, options))
  const samples = checkSamples(arrays, (options.limits ?? DEFAULT_LIMITS).maxSampleBytes)
  const labelsArray = findLabels(arrays, options.labels)
  const fingerprints =
    samples <= MAX_FINGERPRINTED_SAMPLES ? createFingerprints(samples) : undefined
  const checks: DatasetCheck[] = []
  let labels: LabelsDescription | null = null
  for (const [index, array] of arrays.entries()) {
    const isLabels = array === labelsArray
    const statistics = await measureArray(array, isLabels ? undefined : fingerprints)
    refuseNan(array, statistics)
    if (isLabels) labels = describeLabels(array, statistics)
    else checks.push(...checkInput(array, statistics))
    options.onProgress?.({ done: index + 1, total: arrays.length })
  }
  if (fingerprints !== undefined && arrays.length > (labels === null ? 0 : 1)) {
    checks.push(...checkDuplicates(countDuplicates(fingerprints), samples))
  }
  checks.push(...checkLabels(labels), ...checkHasInputs(arrays, labels))
  return {
    arrays: arrays.map(({ name, header: { dataType, dims } }) => ({ name, dataType, dims })),
    samples,
    labels,
    checks,
  }
}

export function byName(arrays: readonly ArraySource[]): readonly ArraySource[] {
  return [...arrays].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The number of samples, which all arrays share. */
export function checkSamples(arrays: readonly ArraySource[], maxSampleBytes: number): number {
  const first = arrays[0]
  if (first === undefined) throw errors.dataset_empty('the archive holds no arrays')
  for (const { name, header } of arrays) {
    const [samples] = header.dims
    if (samples === undefined) {
      throw errors.dataset_array_invalid(
        `array "${name}" is a single number: every array needs the samples as its first dimension`,
        { details: { array: name } },
      )
    }
    if (header.dataBytes === 0) {
      throw errors.dataset_empty(
        `array "${name}" of shape [${header.dims.join(', ')}] has no elements: send at least one sample`,
        { details: { array: name, dims: header.dims } },
      )
    }
    if (header.dataBytes / samples > maxSampleBytes) {
      throw errors.dataset_limit_exceeded(
        `one sample of array "${name}" takes ${header.dataBytes / samples} bytes; ${maxSampleBytes} are allowed`,
        { details: { array: name, dims: header.dims, limit: maxSampleBytes } },
      )
    }
  }
  const samples = first.header.dims[0]!
  const other = arrays.find(({ header }) => header.dims[0] !== samples)
  if (other !== undefined) {
    throw errors.dataset_lengths_differ(
      `array "${first.name}" has ${samples} samples and array "${other.name}" has ${other.header.dims[0]!}: the first dimension of every array is the sample`,
      { details: { samples: Object.fromEntries(arrays.map((a) => [a.name, a.header.dims[0]])) } },
    )
  }
  return samples
}

/** The labels array: the one asked for, which must exist, or the one with a usual name. */
export function findLabels<Array extends { readonly name: string }>(
  arrays: readonly Array[],
  wanted: string | undefined,
): Array | undefined {
  const names = wanted === undefined ? DEFAULT_LABELS : [wanted]
  const found = names.flatMap((name) => arrays.filter((array) => array.name === name))[0]
  if (found === undefined && wanted !== undefined) {
    const present = arrays.map(({ name }) => name)
    throw errors.dataset_labels_missing(
      `the data set has no array "${wanted}" to take labels from; it has ${present.join(', ')}`,
      { details: { labels: wanted, arrays: present } },
    )
  }
  return found
}

function refuseNan(array: ArraySource, { nanCount, firstNanSample }: ArrayStatistics): void {
  if (nanCount === 0) return
  throw errors.dataset_nan(
    `array "${array.name}" has ${nanCount} NaN, the first in sample ${firstNanSample ?? 0}: remove these samples or fill the gaps`,
    { details: { array: array.name, count: nanCount, firstSample: firstNanSample } },
  )
}

function describeLabels(array: ArraySource, statistics: ArrayStatistics): LabelsDescription {
  const { name, header } = array
  const { min, max } = statistics
  const perSample = header.dims.slice(1).every((dim) => dim === 1)
  const isInteger = /^u?int/.test(header.dataType)
  if (!isInteger || (perSample && min < 0)) return { kind: 'targets', name }
  return { kind: perSample ? 'classes' : 'places', name, min, max }
}

function checkInput(array: ArraySource, statistics: ArrayStatistics): DatasetCheck[] {
  const { name, header } = array
  const checks: DatasetCheck[] = []
  const warn = (code: DatasetCheck['code'], message: string) =>
    checks.push({ severity: 'warning', code, message, array: name })
  if (statistics.min === statistics.max && header.dims[0]! > 1) {
    warn('input_constant', `every element of "${name}" is ${statistics.min}`)
  }
  if (statistics.infinityCount > 0) {
    warn(
      'input_has_infinities',
      `"${name}" has ${statistics.infinityCount} infinite elements; calibration cannot use them`,
    )
  }
  const isFloat = header.dataType.startsWith('float')
  const looksLikePixels =
    statistics.allIntegers && statistics.min >= 0 && statistics.max > 100 && statistics.max <= 255
  if (isFloat && header.dims.length >= 3 && looksLikePixels) {
    warn(
      'input_not_normalized',
      `"${name}" holds whole numbers from ${statistics.min} to ${statistics.max}, like raw pixels: unless the model normalizes them itself, store what it was trained on, for example (pixel / 255 - mean) / deviation`,
    )
  }
  return checks
}

function checkDuplicates(duplicates: number, samples: number): DatasetCheck[] {
  if (duplicates === 0) return []
  const message = `${duplicates} of ${samples} samples repeat an earlier one`
  return [{ severity: 'warning', code: 'duplicate_samples', message }]
}

function checkLabels(labels: LabelsDescription | null): DatasetCheck[] {
  if (labels === null) {
    const message =
      'there is no labels array: results can be compared with the original model only, not with the truth'
    return [{ severity: 'info', code: 'labels_absent', message }]
  }
  if (labels.kind === 'targets' || labels.min !== labels.max) return []
  const message = `every label is ${labels.min}: accuracy on this data says little`
  return [{ severity: 'warning', code: 'labels_single_class', message, array: labels.name }]
}

function checkHasInputs(
  arrays: readonly ArraySource[],
  labels: LabelsDescription | null,
): DatasetCheck[] {
  if (labels === null || arrays.length > 1) return []
  const message = `"${labels.name}" is the only array: no model can be run on this data set`
  return [{ severity: 'warning', code: 'no_inputs', message, array: labels.name }]
}
