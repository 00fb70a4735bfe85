// How stages open the normalized dataset among their inputs, bound to the inputs of a model.
import { calibrationBatchSize, type Compute } from '@pare/calibration'
import {
  type Dataset,
  type DatasetMatch,
  matchDataset,
  openDataset,
  type RememberReads,
  type SampleSource,
  sampleSource,
} from '@pare/datasets'
import { openFile } from '@pare/datasets/node'
import type { Model } from '@pare/graph'

import type { StageInput, StageSetting } from './stage.js'
import { inputOf } from './stage-files.js'

export interface StageData {
  readonly dataset: Dataset
  readonly close: () => Promise<void>
}

export interface OpenStageDataOptions {
  /** Name of the labels array. */
  readonly labels?: string | undefined
  /** Of one data set: what was read before need not be read again. */
  readonly remember?: RememberReads | undefined
}

export async function openStageData<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
  options: OpenStageDataOptions = {},
): Promise<StageData> {
  return openDataFile(inputOf(context, role), options)
}

export async function openDataFile(
  { path }: StageInput,
  { labels, remember = (source) => source }: OpenStageDataOptions = {},
): Promise<StageData> {
  const file = await openFile(path)
  try {
    const dataset = await openDataset(remember(file), labels === undefined ? {} : { labels })
    return { dataset, close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

export function bindDataset(dataset: Dataset, model: Model): DatasetMatch {
  const labels = dataset.labels === null ? null : { name: dataset.labels }
  const inputs = model.graph.inputs
    .filter(({ name }) => !model.graph.initializers.has(name))
    .flatMap(({ name, type }) =>
      type?.kind === 'tensor'
        ? [
            {
              name,
              dataType: type.elementType,
              ...(type.shape === undefined
                ? {}
                : { shape: type.shape.map(({ size, param }) => size ?? param ?? null) }),
            },
          ]
        : [],
    )
  return matchDataset({ ...dataset, labels }, inputs)
}

export interface StageSamples<Role extends string> extends OpenStageDataOptions {
  /** Of the input that is a data set. */
  readonly role: Role
  readonly model: Model
  /** The first so many. Default all. */
  readonly samples?: number
  /** Where the model does not insist on another. Default: the one that calibration is fastest with. */
  readonly batchSize?: number
}

/** Hands the samples of an input to `use`, as the model takes them, and closes the data set after it. */
export async function withSamples<Role extends string, Result>(
  context: StageSetting<Role>,
  {
    role,
    model,
    samples,
    batchSize = calibrationBatchSize(model),
    ...open
  }: StageSamples<NoInfer<Role>>,
  use: (source: SampleSource) => Promise<Result>,
): Promise<Result> {
  const { dataset, close } = await openStageData(context, role, open)
  try {
    const match = bindDataset(dataset, model)
    const limit = samples === undefined ? {} : { limit: samples }
    return await use(sampleSource(dataset, { match, batchSize, ...limit }))
  } finally {
    await close()
  }
}

/** What stages run models over data with: the worker's device. */
export function computeOf({
  runtime,
  threads,
  device,
}: Pick<StageSetting, 'runtime' | 'threads' | 'device'>): Compute {
  return { runtime, threads, device }
}
