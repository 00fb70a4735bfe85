// From what was seen of the data to what a person should know of it. Rules are chosen to be silent
// about data that is merely unusual.
import type { Model } from '@pare/graph'

import type { CalibrationStatistics } from '../statistics.js'
import type { DataDiagnostic, DataQuality } from './data-quality.js'
import type { DeadChannels } from './dead-channels.js'
import { firstLayerGain } from './expected-scale.js'
import type { InputWatch, WatchedInput } from './input-watch.js'

export interface Observations {
  readonly model: Model
  readonly inputs: InputWatch
  readonly statistics: CalibrationStatistics
  readonly deadChannels?: readonly DeadChannels[]
  /** What was found beside all this, e.g. drift. */
  readonly more?: readonly DataDiagnostic[]
}

export function assessData(observations: Observations): DataQuality {
  const { model, inputs, statistics, deadChannels = [], more = [] } = observations
  const summaries = inputs.summaries()
  return {
    samples: inputs.samples,
    inputs: summaries.map(({ name, min, max, mean, std, duplicates, constant }) => {
      return { name, min, max, mean, std, duplicates, constant }
    }),
    diagnostics: [
      ...constantInputs(summaries),
      ...duplicatedSamples(inputs),
      ...summaries.flatMap((input) => unusualScale(model, input)),
      ...summaries.flatMap(zeroChannels),
      ...nonFiniteValues(summaries, statistics),
      ...constantValues(statistics, summaries),
      ...deadActivations(deadChannels),
      ...more,
    ],
  }
}

/** One constant among several inputs (a mask, a state, a rate) is usual. */
function constantInputs(inputs: readonly WatchedInput[]): DataDiagnostic[] {
  const all = inputs.every(({ constant }) => constant)
  return inputs
    .filter(({ constant }) => constant)
    .map(({ name }) => ({
      severity: all ? 'warning' : 'info',
      code: 'calibration_data_constant',
      message: `input ${name} is the same in every sample${all ? ': ranges found on one sample hold for that sample only' : ''}`,
      tensor: name,
    }))
}

/** Share of repeated samples from which on they are more than a slip. */
const MANY_DUPLICATES = 0.1

function duplicatedSamples({ duplicates, samples }: InputWatch): DataDiagnostic[] {
  if (duplicates === 0) return []
  const share = duplicates / samples
  return [
    {
      severity: share >= MANY_DUPLICATES ? 'warning' : 'info',
      code: 'calibration_data_duplicated',
      message: `${duplicates} of ${samples} samples (${(share * 100).toFixed(1)} %) repeat an earlier one and add nothing`,
      count: duplicates,
    },
  ]
}

/** Values that a first layer makes this large are no activations that a network was trained for. */
const GREATEST_FIRST_ACTIVATION = 30
const GREATEST_UNIT_SCALE = 32

function unusualScale(model: Model, input: WatchedInput): DataDiagnostic[] {
  const { name, dataType, min, max, mean, std } = input
  if (dataType !== 'float32' || min === null || max === null) return []
  if (Math.max(-min, max) <= GREATEST_UNIT_SCALE) return []
  const gain = firstLayerGain(model, name)
  const magnitude = Math.hypot(mean ?? 0, std ?? 0)
  if (gain === undefined || gain * magnitude <= GREATEST_FIRST_ACTIVATION) return []
  const pixels = min >= 0 && max <= 255 && max > 1 ? ', as pixels of 0 to 255 have' : ''
  return [
    {
      severity: 'warning',
      code: 'calibration_data_not_normalized',
      message: `input ${name} has values from ${short(min)} to ${short(max)}${pixels}, with which the first layer gives about ${short(gain * magnitude)} where a trained network has about 1: the data probably lacks the normalisation that the model was trained with`,
      tensor: name,
    },
  ]
}

function zeroChannels({ name, zeroChannels: found }: WatchedInput): DataDiagnostic[] {
  if (found === undefined || found.zero.length === 0 || found.of === 1) return []
  return [
    {
      severity: 'warning',
      code: 'calibration_channel_zero',
      message: `input ${name} has only zeros in ${found.zero.length} of ${found.of} channels (${found.zero.slice(0, 8).join(', ')})`,
      tensor: name,
      count: found.zero.length,
    },
  ]
}

function nonFiniteValues(
  inputs: readonly WatchedInput[],
  { tensors }: CalibrationStatistics,
): DataDiagnostic[] {
  const counts = new Map(inputs.map(({ name, nonFinite }) => [name, nonFinite]))
  for (const [name, { state }] of Object.entries(tensors)) counts.set(name, state.nonFinite)
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([tensor, count]) => ({
      severity: 'warning',
      code: 'calibration_non_finite',
      message: `${tensor} had ${count} infinite values or NaN in the calibration data; they were left out`,
      tensor,
      count,
    }))
}

function constantValues(
  { tensors }: CalibrationStatistics,
  inputs: readonly WatchedInput[],
): DataDiagnostic[] {
  const known = new Set(inputs.map(({ name }) => name))
  return Object.entries(tensors)
    .filter(([name, { state }]) => !known.has(name) && state.range?.min === state.range?.max)
    .filter(([, { state }]) => state.range !== undefined)
    .map(([tensor, { state }]) => ({
      severity: 'warning',
      code: 'calibration_dead_activations',
      message: `${tensor} is ${short(state.range!.min)} throughout, whatever the sample`,
      tensor,
    }))
}

const MOST_NAMED = 3

/** All in one: most trained networks have some. */
function deadActivations(found: readonly DeadChannels[]): DataDiagnostic[] {
  const [most, ...others] = found.toSorted((a, b) => b.dead / b.of - a.dead / a.of)
  if (most === undefined) return []
  const all = [most, ...others]
  const named = all
    .slice(0, MOST_NAMED)
    .map(({ tensor, dead, of }) => `${dead} of ${of} of ${tensor}`)
  const more =
    all.length > MOST_NAMED ? `, and some of ${all.length - MOST_NAMED} other values` : ''
  return [
    {
      severity: 'info',
      code: 'calibration_dead_activations',
      message: `channels that never changed in the ${most.samples} samples looked at: ${named.join(', ')}${more}`,
      tensor: most.tensor,
      count: all.reduce((sum, { dead }) => sum + dead, 0),
    },
  ]
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}
