import { pruneWeights } from '@pare/pruning'

import type { StageFunction } from './stage.js'
import { readModel, writeDecisions, writeModel } from './stage-files.js'
import { unknownNames } from './unknown-names.js'

/**
 * Makes the least important weights zero.
 *
 * Input `model`; params as the step's. Outputs `model`, `decisions`.
 */
export const run: StageFunction<'prune_weights'> = async (context) => {
  const { params } = context
  const { sparsity, threshold, op_types_to_prune: opTypes } = params
  const model = await readModel(context, 'model')
  const pruned = pruneWeights(model, {
    ...(sparsity === undefined ? {} : { sparsity }),
    ...(threshold === undefined ? {} : { threshold }),
    scope: params.scope,
    pattern: params.pattern,
    nodesToExclude: params.nodes_to_exclude,
    ...(opTypes.length === 0 ? {} : { opTypes }),
  })
  const { layers } = pruned
  const diagnostics = [...unknownNames(model, params), ...pruned.diagnostics]
  return {
    outputs: [
      writeModel(context, pruned.model),
      await writeDecisions(context, { layers, diagnostics }),
    ],
    metrics: {
      sparsity: pruned.total.sparsity,
      layers_pruned: layers.filter(({ decision }) => decision === 'pruned').length,
      diagnostics: diagnostics.length,
    },
  }
}
