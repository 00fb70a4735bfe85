// The form of a model in which quantization can be written: constants that nobody overrides, and an
// opset with the QuantizeLinear and DequantizeLinear that the options need.
import type { CalibrationStatistics } from '@pare/calibration'
import { type Diagnostic, type Model, onnxOpset, runPass } from '@pare/graph'
import { freezeInitializers, raiseOpset, type ValueShape } from '@pare/passes'

import { neededOpset, type ResolvedStaticOptions } from './options.js'

export interface ReadyModel {
  readonly model: Model
  /** One scale per weight where the model's opset knows no more. */
  readonly options: ResolvedStaticOptions
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * 1. Graph inputs that are defaults become constants.
 * 2. The opset rises to what the options need, where every operator can follow.
 * 3. Where one cannot, weights have one scale each if that needs no new opset.
 */
export function readyModel(
  model: Model,
  options: ResolvedStaticOptions,
  statistics: CalibrationStatistics,
): ReadyModel {
  const frozen = runPass(freezeInitializers(), model)
  const needed = neededOpset(options)
  const raised = runPass(raiseOpset(needed, { shapes: observedShapes(statistics) }), frozen.model)
  const diagnostics = [...frozen.diagnostics, ...raised.diagnostics]
  const opset = onnxOpset(raised.model)
  const isPerTensor = opset < needed && neededOpset({ ...options, perChannel: false }) <= opset
  return {
    model: raised.model,
    options: isPerTensor ? { ...options, perChannel: false } : options,
    diagnostics,
  }
}

/** The ranks that the calibration run saw; sizes are not known. */
export function observedShapes(statistics: CalibrationStatistics): ReadonlyMap<string, ValueShape> {
  return new Map(
    Object.entries(statistics.tensors).map(([name, { rank }]) => [
      name,
      { dataType: 'float32', dims: new Array<number>(rank).fill(1) },
    ]),
  )
}
