// Bias correction. Rounding weights and inputs does not only scatter a layer's outputs, it moves
// their mean: E[ŵ·x̂] ≠ E[w·x]. The difference is a constant per channel, so the bias can take it
// back (Nagel et al. 2019, "Data-Free Quantization through Weight Equalization and Bias Correction",
// section 4.2; measured instead of derived, as NNCF does). The activation behind a layer is not
// looked at: what is corrected is the layer's own output.
//   fast: every layer for itself, on the float model's inputs; one pass over the data.
//   full: level by level, behind the layers quantized and corrected before; a pass for each level.
import type { Diagnostic, Model } from '@pare/graph'
import type { BiasCorrectionMethod } from '@pare/recipe'

import type { DataSource } from '../layers/data-source.js'
import { type IntegerLayer, integerLayers } from '../layers/integer-layers.js'
import type { QuantizeStaticResult } from '../static/quantize-static.js'
import { settledMean } from './bias-estimate.js'
import { layerLevels } from './bias-levels.js'
import {
  floatMeans,
  isolatedErrors,
  type LayerMeans,
  type PassInput,
  quantizedMeans,
} from './bias-passes.js'
import { fittingShift, hasBiasPlace, type Shift, withShifts } from './bias-write.js'

export interface CorrectBiasOptions {
  /** The float model that was quantized. */
  readonly model: Model
  readonly quantized: QuantizeStaticResult
  readonly source: DataSource
  /** Default `fast`. */
  readonly method?: BiasCorrectionMethod
  /** Samples per pass. Default 128. */
  readonly samples?: number
  /** Passes over the data that there will be, the one that runs, and its samples so far. */
  readonly onProgress?: (progress: BiasCorrectionProgress) => void
  readonly signal?: AbortSignal
}

export interface BiasCorrectionProgress {
  readonly pass: number
  readonly passes: number
  readonly samples: number
}

/** What was added to the bias of one layer. Plain JSON. */
export interface BiasCorrectionReport {
  /** `LayerReport.output`. */
  readonly output: string
  readonly node: string
  /** Mean of the shifts' magnitudes over the channels, in units of the layer's output. */
  readonly meanShift: number
  /** The greatest of them. */
  readonly largest: number
}

export interface CorrectBiasResult {
  /** A float model to quantize with the same statistics. The given one where nothing is corrected. */
  readonly model: Model
  readonly corrections: readonly BiasCorrectionReport[]
  readonly diagnostics: readonly Diagnostic[]
}

const DEFAULT_SAMPLES = 128
/** A pass of `full` costs a run of everything before its level. */
const MAX_LEVELS = 32

/**
 * Corrects the biases of the layers that `quantized` computes in integers:
 *   b'_c = b_c + E[w_c·x] − E[ŵ_c·x̂]
 * with the mean over samples and positions. A shift is made smaller by what chance explains of it
 * (`settledMean`) and left out where the bias would leave int32; its size is not limited, since
 * taking back a mean never makes the squared error larger. A Conv or Gemm without a bias gets one; a
 * MatMul has a place for it only where a constant is added to its output, and gets no further
 * addition otherwise. Throws what the runtime throws.
 */
export async function correctBias(options: CorrectBiasOptions): Promise<CorrectBiasResult> {
  const { model, quantized, method = 'fast' } = options
  const layers = integerLayers(model, quantized)
  const placed = layers.filter(hasBiasPlace)
  const diagnostics = layers.filter((layer) => !hasBiasPlace(layer)).map(withoutPlace)
  if (placed.length === 0) return { model, corrections: [], diagnostics }
  const shifts = await (method === 'fast' ? fastShifts : fullShifts)(placed, options)
  const effective = shifts.filter(({ values }) => values.some((value) => value !== 0))
  return {
    model: withShifts(model, effective),
    corrections: effective.map(reportOf),
    diagnostics,
  }
}

async function fastShifts(
  layers: readonly IntegerLayer[],
  options: CorrectBiasOptions,
): Promise<readonly Shift[]> {
  const errors = await isolatedErrors(options.model, layers, passInput(options, 0, 1))
  return layers.map((layer) => shiftOf(layer, errors))
}

async function fullShifts(
  layers: readonly IntegerLayer[],
  options: CorrectBiasOptions,
): Promise<readonly Shift[]> {
  const quantized = options.quantized.qdq
  const levels = layerLevels(quantized.graph, layers, MAX_LEVELS)
  const passes = levels.length + 1
  const float = await floatMeans(options.model, layers, passInput(options, 0, passes))
  const shifts: Shift[] = []
  for (const [i, level] of levels.entries()) {
    const input = { ...passInput(options, i + 1, passes), shifts }
    const behind = await quantizedMeans(quantized, level, input)
    shifts.push(...level.map((layer) => shiftOf(layer, behind, float)))
  }
  return shifts
}

/** Minus the mean error: of `means` less those of `float`, where that is given. Batches in which it
 * is not finite are left out. */
function shiftOf(layer: IntegerLayer, means: LayerMeans, float?: LayerMeans): Shift {
  const { output } = layer.report
  const expected = float?.get(output)
  const shifts = means
    .get(output)!
    .map(({ samples, values }, batch) => ({
      samples,
      values: values.map((value, channel) => (expected?.[batch]?.values[channel] ?? 0) - value),
    }))
    .filter(({ values }) => values.every(Number.isFinite))
  return { layer, values: fittingShift(layer, settledMean(shifts)) }
}

function passInput(options: CorrectBiasOptions, pass: number, passes: number): PassInput {
  const { source, samples = DEFAULT_SAMPLES, onProgress, signal } = options
  const onSamples = (seen: number) => onProgress?.({ pass: pass + 1, passes, samples: seen })
  return { source, samples, signal, onSamples }
}

function reportOf({ layer, values }: Shift): BiasCorrectionReport {
  const magnitudes = values.map(Math.abs)
  return {
    output: layer.report.output,
    node: layer.report.node,
    meanShift: magnitudes.reduce((sum, value) => sum + value, 0) / magnitudes.length,
    largest: magnitudes.reduce((most, value) => Math.max(most, value), 0),
  }
}

function withoutPlace({ report }: IntegerLayer): Diagnostic {
  return {
    severity: 'info',
    code: 'bias_not_corrected',
    message: `${report.opType} ${report.node} has no bias that could be corrected; adding one would cost more time than it gains`,
    node: report.node,
    opType: report.opType,
  }
}
