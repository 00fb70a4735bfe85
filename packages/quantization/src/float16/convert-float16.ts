// Float16 conversion: float32 data becomes float16 wherever operators allow it, with the fewest
// Casts. Pure; the rules stand in node-decision.ts, fewest-casts.ts, control-flow.ts, versions.ts.
import type { Diagnostic, Model } from '@pare/graph'

import type { Analysis } from './analysis.js'
import { analyze } from './analyze.js'
import { chooseWidths } from './fewest-casts.js'
import { type ConvertFloat16Options, resolveFloat16Options } from './options.js'
import { float16Diagnostics, type Float16LayerReport, layerReports } from './report.js'
import { ValueVersions } from './versions.js'
import { writeModel } from './write-graph.js'

export interface ConvertFloat16Result {
  readonly model: Model
  readonly layers: readonly Float16LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
  /** Casts of the result beyond those of the original; negative where some became needless. */
  readonly castsAdded: number
}

/**
 * The model in float16 or bfloat16. A model without anything to convert comes back as it is, with
 * a diagnostic. Throws `quantization_options_invalid`.
 */
export function convertFloat16(
  model: Model,
  options: ConvertFloat16Options = {},
): ConvertFloat16Result {
  const resolved = resolveFloat16Options(options)
  const analysis = analyze(model, resolved)
  chooseWidths(analysis.groups, analysis.castableValues())
  const { root } = analysis
  const { type } = resolved
  const untouched = layerReports({ root, type, constants: new Map() })
  if (!untouched.some(({ decision }) => decision === type)) {
    const diagnostics = [
      ...float16Diagnostics({ root, type, constants: new Map() }),
      nothingToConvert(analysis, untouched.length),
    ]
    return { model, layers: untouched, diagnostics, castsAdded: 0 }
  }
  const versions = new ValueVersions(model, root, type)
  const written = writeModel(model, { root, versions, options: resolved })
  const report = { root, type, constants: written.constants }
  return {
    model: written.model,
    castsAdded: written.castsAdded,
    layers: layerReports(report),
    diagnostics: float16Diagnostics(report),
  }
}

function nothingToConvert({ values, options }: Analysis, floatNodes: number): Diagnostic {
  const isNarrow = values.some(({ type }) => type === options.type)
  if (floatNodes === 0 && isNarrow) {
    return {
      severity: 'info',
      code: 'already_float16',
      message: `the model computes in ${options.type} already: nothing was changed`,
    }
  }
  return {
    severity: 'warning',
    code: 'float16_nothing_to_convert',
    message: 'no node gains by a conversion: nothing was changed',
  }
}
