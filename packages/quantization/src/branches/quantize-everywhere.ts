// Quantizes a graph and the branches in it, from the inside outwards: what is in a branch reads values
// of the graph around it under the names that calibration knew them by.
import type { CalibrationStatistics } from '@pare/calibration'
import { editGraph, type Model, runPass } from '@pare/graph'

import { toQOperator } from '../qoperator/to-qoperator.js'
import type { LayerReport } from '../report/report.js'
import {
  type QuantizedGraph,
  quantizeGraph,
  type QuantizeGraphOptions,
} from '../static/quantize-graph.js'
import { removeUnused } from '../writing/written-constants.js'
import { statisticsIn } from './branch-statistics.js'
import { branchesOf, putBack, type UniqueName } from './branches.js'

/** The layers of the graph itself come first. */
export function quantizeEverywhere(
  model: Model,
  statistics: CalibrationStatistics,
  options: QuantizeGraphOptions & { readonly uniqueName: UniqueName },
): QuantizedGraph {
  const inside = branchesOf(model).map((branch) => ({
    branch,
    found: quantizeEverywhere(branch.model, statisticsIn(statistics, branch), {
      ...options,
      isBranch: true,
    }),
  }))
  const changes = inside
    .map(({ branch, found }) => ({ branch, model: found.model }))
    .filter((change) => change.model !== change.branch.model)
  const around = changes.length === 0 ? { model } : putBack(model, changes, options.uniqueName)
  const own = quantizeGraph(around.model, statistics, options)
  const isTidy = own.model !== around.model || changes.length === 0
  return {
    model: isTidy ? own.model : withoutUnused(own.model),
    layers: [
      ...own.layers,
      ...inside.flatMap(({ branch, found }) => {
        const names = 'renamed' in around ? around.renamed.get(branch) : undefined
        return names === undefined ? found.layers : found.layers.map((one) => renamed(one, names))
      }),
    ],
    diagnostics: [...own.diagnostics, ...inside.flatMap(({ found }) => found.diagnostics)],
    floats: new Map([...own.floats, ...inside.flatMap(({ found }) => [...found.floats])]),
  }
}

/** The weight is how a layer is found again. */
function renamed(layer: LayerReport, names: ReadonlyMap<string, string>): LayerReport {
  const { weight } = layer
  if (weight === undefined) return layer
  return { ...layer, weight: { ...weight, name: names.get(weight.name) ?? weight.name } }
}

/** Float weights that only branches read. */
function withoutUnused(model: Model): Model {
  const editor = editGraph(model)
  removeUnused(editor)
  return editor.finish()
}

export function toQOperatorEverywhere(model: Model): Model {
  const names = editGraph(model)
  const changes = branchesOf(model)
    .map((branch) => ({ branch, model: toQOperatorEverywhere(branch.model) }))
    .filter((change) => change.model !== change.branch.model)
  const around = putBack(model, changes, (hint) => names.uniqueName(hint)).model
  return runPass(toQOperator(), around).model
}
