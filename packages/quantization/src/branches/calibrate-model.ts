// Calibration of a whole model: its main graph, and the branches of its Ifs. A branch is calibrated as
// a model of its own, on what the data brings to it.
import {
  calibrate,
  type CalibrateOptions,
  type CalibrationStatistics,
  errors,
  STATISTICS_VERSION,
  type StatisticsKind,
} from '@pare/calibration'
import type { Batch, SampleSource } from '@pare/datasets'
import type { Model } from '@pare/graph'

import { notApplicable } from '../static/not-applicable.js'
import { observableValues } from '../static/observation-points.js'
import { type QuantizeStaticOptions, resolveStaticOptions } from '../static/options.js'
import { branchFeeds, withInputTypes } from './branch-feeds.js'
import { branchPrefix, prefixed } from './branch-statistics.js'
import { type Branch, branchesOf } from './branches.js'

export interface CalibrateModelOptions<Kind extends StatisticsKind = 'minmax'> extends Omit<
  CalibrateOptions<Kind>,
  'points' | 'batches' | 'samples' | 'samplesBefore'
> {
  /**
   * Is read from its beginning for the main graph, and for each branch with layers. Where
   * `takesSingleSamples` says so, it is asked for one sample at a time.
   */
  readonly source: SampleSource
  /** Most samples. Default: all of the source. */
  readonly samples?: number
  /** As for `observationPoints`. */
  readonly quantization?: QuantizeStaticOptions
  /**
   * Values of the main graph to observe, where the others are known; branches are not looked at then.
   * Without a sample (`samples` 0) where there is none such. Default all.
   */
  readonly only?: (value: string) => boolean
}

type Tensors<Kind extends StatisticsKind> = CalibrationStatistics<Kind>['tensors']

/**
 * Observes all that `quantizeStatic` needs to know, in branches of If too; what the data never reaches
 * is not in the result. Throws `quantization_not_applicable` when there is nothing to quantize, and
 * what `calibrate` throws.
 */
export async function calibrateModel<Kind extends StatisticsKind = 'minmax'>(
  options: CalibrateModelOptions<Kind>,
): Promise<CalibrationStatistics<Kind>> {
  const kind = options.kind ?? ('minmax' as Kind)
  let tensors: Tensors<Kind> = {}
  let samples = 0
  const onProgress = (seen: number) => {
    samples = Math.max(samples, seen)
    options.onProgress?.({ samples })
  }
  const { model, quantization, only } = options
  const all = scopesToObserve(model, quantization)
  const single = all.some(isBranch)
  const scopes = only === undefined ? all : restricted(all, only)
  for (const scope of scopes) {
    const found = await calibrateScope(scope, { ...options, kind, single }, onProgress)
    tensors = {
      ...tensors,
      ...prefixed<Kind>(found ?? {}, scope.branches.map(branchPrefix).join('')),
    }
  }
  if (samples > 0 || scopes.length === 0)
    return { version: STATISTICS_VERSION, kind, samples, tensors }
  throw errors.calibration_data_empty('calibration needs at least one sample')
}

/** The main graph or a branch, with what to observe in it. */
interface Scope {
  /** From the main graph inwards; none for the main graph. */
  readonly branches: readonly Branch[]
  readonly model: Model
  readonly points: readonly string[]
}

const isBranch = ({ branches }: Scope): boolean => branches.length > 0

function restricted(scopes: readonly Scope[], only: (value: string) => boolean): readonly Scope[] {
  return scopes
    .filter((scope) => !isBranch(scope))
    .map((scope) => ({ ...scope, points: scope.points.filter(only) }))
    .filter(({ points }) => points.length > 0)
}

/**
 * Whether the model has layers in branches. Where it takes any number of samples, it is looked at one
 * at a time then: a condition is one for a whole batch, and each sample is to decide for itself.
 */
export function takesSingleSamples(model: Model): boolean {
  const options = resolveStaticOptions({})
  return [...allScopes(model, [])].some(
    (scope) =>
      scope.branches.length > 0 && observableValues(scope.model, options).points.length > 0,
  )
}

function scopesToObserve(model: Model, quantization: QuantizeStaticOptions = {}): readonly Scope[] {
  const options = resolveStaticOptions(quantization)
  const floats: Parameters<typeof notApplicable>[0][] = []
  const scopes = [...allScopes(model, [])].map((scope) => {
    const found = observableValues(scope.model, options)
    floats.push(found)
    return { ...scope, points: found.points }
  })
  const observed = scopes.filter(({ points }) => points.length > 0)
  if (observed.length > 0) return observed
  throw notApplicable({ floats: new Map(floats.flatMap((found) => [...found.floats])) })
}

function* allScopes(model: Model, branches: readonly Branch[]): Generator<Omit<Scope, 'points'>> {
  yield { branches, model }
  for (const branch of branchesOf(model)) yield* allScopes(branch.model, [...branches, branch])
}

/** Undefined where the data never reaches the scope. */
async function calibrateScope<Kind extends StatisticsKind>(
  { branches, model, points }: Scope,
  options: CalibrateModelOptions<Kind> & { readonly single: boolean },
  onSeen: (samples: number) => void,
): Promise<Tensors<Kind> | undefined> {
  const { source, samples: most = Infinity, single } = options
  const samples = Math.min(most, source.samples)
  const batches = source.batches({ samples, ...(single ? { batchSize: 1 } : {}) })
  const reaching = branches.reduce(
    (around, branch) => branchFeeds(branch, around, options),
    watched(batches, onSeen),
  )
  try {
    const first = await reaching.next()
    if (first.done === true) return undefined
    const { tensors } = await calibrate({
      ...options,
      model: branches.length === 0 ? model : withInputTypes(model, first.value.feeds),
      ...{ points, samples, batches: resumed(first.value, reaching) },
      onProgress: () => undefined,
    })
    return tensors
  } finally {
    await reaching.return(undefined)
  }
}

async function* watched(
  batches: AsyncIterable<Batch>,
  onSeen: (samples: number) => void,
): AsyncGenerator<Batch> {
  let samples = 0
  for await (const batch of batches) {
    samples += batch.count
    onSeen(samples)
    yield batch
  }
}

async function* resumed<Item>(first: Item, rest: AsyncGenerator<Item>): AsyncGenerator<Item> {
  yield first
  yield* rest
}
