// The values whose range decides what must stay float32.
import type { Model } from '@pare/graph'

import { analyze } from './analyze.js'
import { type ConvertFloat16Options, resolveFloat16Options } from './options.js'

/**
 * Names of the model's float32 values outside bodies, constants left out, for `calibrate`. `types`
 * as for the conversion.
 */
export function float16ObservationPoints(
  model: Model,
  options: Pick<ConvertFloat16Options, 'types'> = {},
): readonly string[] {
  const { root } = analyze(model, resolveFloat16Options(options))
  return [...root.values.values()]
    .filter(({ type, constant }) => type === 'float32' && constant === undefined)
    .map(({ name }) => name)
}
