import { firstBatch } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { prepareModel, type Tensors } from '@pare/passes'

import { judgeBatch } from './running-model.js'
import type { StageContext, StageFunction } from './stage.js'
import { withSamples } from './stage-data.js'
import { openOnce, readModel, writeDecisions, writeJson, writeModel } from './stage-files.js'

/**
 * Brings the model into the form that compression starts from; shapes are learned from a run on
 * real data. Says in `batch` whether a model of one sample at a time may run over data in batches.
 *
 * Inputs `model`, `sample` (a dataset); params as the catalogue's. Outputs `model`, `shapes`, `batch`,
 * `decisions`.
 */
export const run: StageFunction<'prepare'> = async (context) => {
  const { keep_float16: keepFloat16 = false } = context.params
  const model = await readModel(context, 'model')
  const prepared = await prepareModel(model, {
    widenFloat16: !keepFloat16,
    open: openOnce(context),
    feeds: await sampleFeeds(context, model),
  })
  const { diagnostics } = prepared
  return {
    outputs: [
      writeModel(context, prepared.model),
      await writeJson(context, 'shapes', [...prepared.shapes]),
      await writeJson(context, 'batch', await judgeBatch(context, prepared)),
      await writeDecisions(context, { layers: [], diagnostics }),
    ],
    metrics: {
      nodes_before: model.graph.nodes.length,
      nodes_after: prepared.model.graph.nodes.length,
      diagnostics: diagnostics.length,
    },
  }
}

/** One sample, or one batch of the size that the model insists on. */
async function sampleFeeds(context: StageContext<'prepare'>, model: Model): Promise<Tensors> {
  return withSamples(context, { role: 'sample', model, batchSize: 1 }, async (source) => {
    const batch = await firstBatch(source, 1)
    if (batch !== undefined) return batch.feeds
    throw new Error('a normalized dataset has at least one sample')
  })
}
