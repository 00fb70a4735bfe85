// Which tensors a static quantization needs to know the range of.
import { type Model, runPass } from '@pare/graph'
import { foldableActivation, freezeInitializers } from '@pare/passes'

import { type Placement, planPlacement } from '../placement/placement.js'
import { observationPolicy } from '../placement/placement-policy.js'
import { tailJoinInputs } from '../placement/range-disparity.js'
import { notApplicable } from './not-applicable.js'
import {
  type QuantizeStaticOptions,
  type ResolvedStaticOptions,
  resolveStaticOptions,
} from './options.js'

/**
 * The values of the main graph to observe for `quantizeStatic(model, statistics, options)`, in graph
 * order; `calibrateModel` observes those in branches of If as well. Only what would be quantized:
 * every further value costs a pass over its data in each batch. The points of the default options
 * serve all others too, since no option quantizes more. Throws `quantization_not_applicable` when
 * there is nothing to quantize.
 */
export function observationPoints(
  model: Model,
  options: QuantizeStaticOptions = {},
): readonly string[] {
  const found = observableValues(model, resolveStaticOptions(options))
  if (found.points.length === 0) throw notApplicable(found)
  return found.points
}

export interface ObservableValues extends Pick<Placement, 'floats'> {
  /** In graph order; none where there is nothing to quantize. */
  readonly points: readonly string[]
}

export function observableValues(model: Model, options: ResolvedStaticOptions): ObservableValues {
  const { model: frozen } = runPass(freezeInitializers(), model)
  // What does not pay is quantized in 16 bits, or where nothing else is; that is little more to observe.
  const [paying, all] = [true, false].map((countsCost) =>
    planPlacement(frozen, observationPolicy(frozen, options, countsCost)),
  ) as [Placement, Placement]
  const { floats } = all
  if (all.layers.size === 0) return { points: [], floats }
  const points = new Set([...pointsOf(paying), ...pointsOf(all), ...tailJoinInputs(frozen)])
  const order = [...frozen.graph.inputs, ...frozen.graph.nodes].flatMap((place) =>
    'opType' in place ? place.outputs : [place.name],
  )
  return { points: order.filter((value) => points.has(value)), floats }
}

function pointsOf({ owners, index }: Placement): readonly string[] {
  return [...owners.values()].map((value) => foldableActivation(value, index)?.output ?? value)
}
