// Which tensors a static quantization needs to know the range of.
import type { Model } from '@pare/graph'
import { foldableActivation } from '@pare/passes'

import { notApplicable } from './not-applicable.js'
import { type QuantizeStaticOptions, resolveStaticOptions } from './options.js'
import { planPlacement } from './placement.js'
import { placementPolicy } from './placement-policy.js'

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
  const policy = placementPolicy(model, resolveStaticOptions(options), undefined)
  const placement = planPlacement(model, policy)
  if (placement.layers.size === 0) throw notApplicable(placement)
  const { owners, index } = placement
  const behindClamps = [...owners.values()].map((value) => {
    return foldableActivation(value, index)?.output ?? value
  })
  return [...new Set(behindClamps)]
}
