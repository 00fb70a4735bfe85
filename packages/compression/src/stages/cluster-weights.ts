import { clusterWeights } from '@pare/pruning'

import type { StageFunction } from './stage.js'
import { readModel, writeDecisions, writeModel } from './stage-files.js'
import { unknownNames } from './unknown-names.js'

/**
 * Lets the weights of each layer share a few values.
 *
 * Input `model`; params as the step's. Outputs `model`, `decisions`.
 */
export const run: StageFunction<'cluster_weights'> = async (context) => {
  const { params } = context
  const { clusters, op_types_to_cluster: opTypes } = params
  const model = await readModel(context, 'model')
  const clustered = clusterWeights(model, {
    clusters,
    nodesToExclude: params.nodes_to_exclude,
    ...(opTypes.length === 0 ? {} : { opTypes }),
  })
  const { layers } = clustered
  const diagnostics = [...unknownNames(model, params), ...clustered.diagnostics]
  return {
    outputs: [
      writeModel(context, clustered.model),
      await writeDecisions(context, { layers, diagnostics }),
    ],
    metrics: {
      layers_clustered: layers.filter(({ decision }) => decision === 'clustered').length,
      diagnostics: diagnostics.length,
    },
  }
}
