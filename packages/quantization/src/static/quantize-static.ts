// Static quantization: ranges from calibration, integers in the file. The main graph and the branches
// of its Ifs are quantized in the same way, a branch before the graph around it.
import type { CalibrationStatistics } from '@pare/calibration'
import { type Diagnostic, editGraph, type Model } from '@pare/graph'

import { quantizeEverywhere, toQOperatorEverywhere } from '../branches/quantize-everywhere.js'
import { errors } from '../errors.js'
import type { LayerReport } from '../report/report.js'
import { speedDiagnostics } from '../report/speed-diagnostics.js'
import { notApplicable } from './not-applicable.js'
import { hasIntegerKernels, type QuantizeStaticOptions, resolveStaticOptions } from './options.js'
import type { ForcedFloat, QuantizedGraph } from './quantize-graph.js'
import { type ReadyModel, readyModel } from './ready-model.js'
import { storeTables } from './store-tables.js'

export type { ForcedFloat } from './quantize-graph.js'

export interface QuantizeStaticResult {
  readonly model: Model
  /** The same in QDQ format, where each layer is still what it was in the float model. */
  readonly qdq: Model
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Quantizes a model. `statistics` come from `calibrateModel`, or from `calibrate` on
 * `observationPoints(model, options)` where layers in branches of If may stay float. Graph inputs and
 * outputs keep names and float32 type. Throws
 * `quantization_options_invalid`, `quantization_statistics_missing` when the statistics hold none of
 * the model's values, and `quantization_not_applicable` when nothing could be quantized.
 */
export function quantizeStatic(
  model: Model,
  statistics: CalibrationStatistics,
  options: QuantizeStaticOptions = {},
): QuantizeStaticResult {
  return quantizeExcept(model, statistics, { options, forced: new Map() })
}

/** `quantizeStatic` with layers that the runtime is known not to compute in integers. */
export function quantizeExcept(
  model: Model,
  statistics: CalibrationStatistics,
  choice: { readonly options: QuantizeStaticOptions; readonly forced: ForcedFloat },
): QuantizeStaticResult {
  const ready = readyModel(model, resolveStaticOptions(choice.options), statistics)
  const { options } = ready
  const { quantized, countsCost } = quantizeWhatPays(ready, statistics, choice.forced)
  if (!hasIntegers(quantized)) throw nothingQuantized(quantized, statistics)
  const tables = storeTables(quantized.model, { options, forced: choice.forced })
  const qdq = tables.model
  const layers = [...quantized.layers, ...tables.layers]
  return {
    model: options.format === 'QOperator' ? toQOperatorEverywhere(qdq) : qdq,
    qdq,
    layers,
    diagnostics: [
      ...ready.diagnostics,
      ...speedDiagnostics(options, quantized.layers, countsCost || !hasIntegerKernels(options)),
      ...quantized.diagnostics,
      ...tables.diagnostics,
    ],
  }
}

/** Where no layer is worth its conversions, all are quantized all the same: the file gets smaller. */
function quantizeWhatPays(
  { model, options }: ReadyModel,
  statistics: CalibrationStatistics,
  forced: ForcedFloat,
): { readonly quantized: QuantizedGraph; readonly countsCost: boolean } {
  const names = editGraph(model)
  const uniqueName = (hint: string) => names.uniqueName(hint)
  const choice = { options, forced, isBranch: false, uniqueName }
  const quantize = (countsCost: boolean) =>
    quantizeEverywhere(model, statistics, { ...choice, countsCost })
  // Where nothing is faster in integers anyway, cost is not what the caller is after.
  const countsCost = hasIntegerKernels(options)
  const quantized = quantize(countsCost)
  if (hasIntegers(quantized) || !countsCost) return { quantized, countsCost }
  return { quantized: quantize(false), countsCost: false }
}

function hasIntegers({ layers }: QuantizedGraph): boolean {
  return layers.some(({ decision }) => decision === 'integer')
}

function nothingQuantized({ floats }: QuantizedGraph, statistics: CalibrationStatistics): Error {
  const isUnreached = [...floats.values()].some(({ reason }) => reason === 'branch_not_taken')
  if (isUnreached || Object.keys(statistics.tensors).length > 0) return notApplicable({ floats })
  return errors.quantization_statistics_missing(
    'the calibration statistics hold no tensor; take those of calibrateModel',
  )
}
