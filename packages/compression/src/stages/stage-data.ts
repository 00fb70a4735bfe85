// How stages open the normalized dataset among their inputs, bound to the inputs of a model.
import {
  type Batch,
  type Dataset,
  type InputBinding,
  matchDataset,
  openDataset,
  type RememberReads,
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

export interface ModelBinding {
  readonly inputs: readonly InputBinding[]
  /** The batch size that the model insists on, or null. */
  readonly fixedBatchSize: number | null
}

export function bindDataset(dataset: Dataset, model: Model): ModelBinding {
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

export interface BatchPart {
  /** Where the model does not insist on another. */
  readonly batchSize: number
  readonly offset?: number
  readonly limit?: number
}

/** Samples as a model takes them; a batch of a fixed size is padded with its last sample. */
export function batchesFor(
  dataset: Dataset,
  model: Model,
  { batchSize, ...part }: BatchPart,
): AsyncIterable<Batch> {
  const { inputs, fixedBatchSize } = bindDataset(dataset, model)
  return dataset.batches({
    ...part,
    inputs,
    batchSize: fixedBatchSize ?? batchSize,
    remainder: fixedBatchSize === null ? 'keep' : 'pad',
  })
}
