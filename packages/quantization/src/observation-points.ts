// Which tensors a static quantization needs to know the range of.
import type { Model } from '@pare/graph'
import { foldableActivation, freezeInitializers } from '@pare/passes'

import { notApplicable } from './not-applicable.js'
import { type QuantizeStaticOptions, resolveStaticOptions } from './options.js'
import { type Placement, planPlacement } from './placement.js'
import { observationPolicy } from './placement-policy.js'
import { tailJoinInputs } from './range-disparity.js'

/**
 * The values to observe for `quantizeStatic(model, statistics, options)`, in graph order. Only what
 * would be quantized: every further value costs a pass over its data in each batch. The points of
 * the default options serve all others too, since no option quantizes more. Throws
 * `quantization_not_applicable` when there is nothing to quantize.
 */
export function observationPoints(
  model: Model,
  options: QuantizeStaticOptions = {},
): readonly string[] {
  const resolved = resolveStaticOptions(options)
  const { model: frozen } = freezeInitializers().run(model)
  // What does not pay is quantized in 16 bits, or where nothing else is; that is little more to observe.
  const [paying, all] = [true, false].map((countsCost) =>
    planPlacement(frozen, observationPolicy(frozen, resolved, countsCost)),
  ) as [Placement, Placement]
  if (all.layers.size === 0) throw notApplicable(all)
  const points = new Set([...pointsOf(paying), ...pointsOf(all), ...tailJoinInputs(frozen)])
  const order = [...frozen.graph.inputs, ...frozen.graph.nodes].flatMap((place) =>
    'opType' in place ? place.outputs : [place.name],
  )
  return order.filter((value) => points.has(value))
}

function pointsOf({ owners, index }: Placement): readonly string[] {
  return [...owners.values()].map((value) => foldableActivation(value, index)?.output ?? value)
}
