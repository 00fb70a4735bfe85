// Static quantization that keeps only what onnxruntime really computes in integers.
import type { CalibrationStatistics } from '@pare/calibration'
import type { Model } from '@pare/graph'
import { type WhyNot, whyNot } from '@pare/recipe'

import type { LayerReport } from '../report/report.js'
import type { QuantizeStaticOptions } from './options.js'
import { type ForcedFloat, quantizeExcept, type QuantizeStaticResult } from './quantize-static.js'
import { type Optimize, readBack } from './read-back.js'

export interface QuantizeVerifiedInput {
  readonly model: Model
  readonly statistics: CalibrationStatistics
  readonly options?: QuantizeStaticOptions
  readonly optimize: Optimize
  /** Layers that stay float from the first round on. */
  readonly forced?: ForcedFloat
  /** Default 4. Each round loads the model once. */
  readonly maxRounds?: number
}

export interface QuantizeVerifiedResult extends QuantizeStaticResult {
  /** How often the runtime was asked; 1 when everything was fused at once. */
  readonly rounds: number
  /** Every layer that was made to stay float: those given, and those that were taken back. */
  readonly forced: ForcedFloat
}

/** Layers with 16-bit inputs or weights in blocks have no kernels, and are kept for what they are. */
function isMeantForKernels({ input, weight }: LayerReport): boolean {
  return !/16$/.test(input?.type ?? '') && weight?.granularity !== 'blocked'
}

/**
 * Quantizes, lets the runtime optimize the result and reads it back; layers that did not become
 * integer kernels are left float and all is quantized again, until nothing is left to take back.
 * Layers still unfused after `maxRounds` stay and are reported with a `float:` kernel. Throws what
 * `quantizeStatic` and `optimize` throw.
 */
export async function quantizeVerified(
  input: QuantizeVerifiedInput,
): Promise<QuantizeVerifiedResult> {
  const { model, statistics, options = {}, optimize, maxRounds = 4 } = input
  const forced = new Map<string, WhyNot>(input.forced)
  for (let rounds = 1; ; rounds++) {
    const result = quantizeExcept(model, statistics, { options, forced })
    const read = await readBack(result.model, result.layers, optimize)
    const { layers } = read
    const unfused = read.unfused.filter(isMeantForKernels)
    if (unfused.length === 0 || rounds >= maxRounds) return { ...result, layers, rounds, forced }
    for (const layer of unfused) {
      forced.set(
        layer.output,
        whyNot('not_fused_by_runtime', 'onnxruntime does not compute it in integers here'),
      )
    }
  }
}
