// What each layer costs: quantized alone, and left float alone. Both are run, not modelled: the first
// by the arithmetic that the specification has, the second by the kernels of a quantized model each.
import { type CalibrationStatistics, type Probe, runProbes } from '@pare/calibration'
import { CodedError } from '@pare/errors'
import type { Model } from '@pare/graph'
import { type WhyNot, whyNot } from '@pare/recipe'

import { NO_INTEGER_KERNELS } from '../bias/bias-passes.js'
import type { DataSource } from '../layers/data-source.js'
import { type IntegerLayer, integerLayersEverywhere } from '../layers/integer-layers.js'
import type { LayerReport } from '../report/report.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import {
  type ForcedFloat,
  quantizeExcept,
  type QuantizeStaticResult,
} from '../static/quantize-static.js'
import { ErrorSum, type OutputError, type Reference } from './output-error.js'
import { type SwitchedModel, switchedModel } from './switched-model.js'

/** One layer's row of the report. Plain JSON; decibels of the model's outputs. */
export interface LayerSensitivity {
  /** The layer's output, as `LayerReport.output`. */
  readonly layer: string
  readonly node: string
  readonly op_type: string
  /** SQNR with this layer alone in integers; null where that changes nothing, or cannot be asked. */
  readonly quantized_alone_sqnr_db: number | null
  /** SQNR gained when of all layers this one stays float; null when not measured. */
  readonly float_alone_gain_db: number | null
}

export interface SensitivityInput {
  readonly model: Model
  readonly statistics: CalibrationStatistics
  readonly options: QuantizeStaticOptions
  /** Layers that stay float in any case. */
  readonly forced: ForcedFloat
  /** The layers of the quantized model. */
  readonly layers: readonly LayerReport[]
  readonly reference: Reference
  readonly onLayer?: (layer: LayerReport) => void
}

/** Layers with weights in integers: joins follow them, and are not asked about. */
export function rankableLayers(layers: readonly LayerReport[]): readonly LayerReport[] {
  return layers.filter(({ decision, weight }) => decision === 'integer' && weight !== undefined)
}

export interface AloneInput {
  readonly model: Model
  /** Made of `model`. */
  readonly quantized: QuantizeStaticResult
  readonly source: DataSource
  readonly samples: number
  readonly onLayer?: (layer: LayerReport) => void
}

/**
 * Leave-one-quantized: the model's output error with each layer alone rounded as its integers are.
 * One session serves all (`switchedModel`). Layers that cannot be asked about are not in the result.
 */
export async function measureQuantizedAlone({
  model,
  quantized,
  source,
  samples,
  onLayer,
}: AloneInput): Promise<ReadonlyMap<string, OutputError>> {
  const layers = integerLayersEverywhere(model, quantized)
  const switched = switchedModel(model, layers)
  const { results } = await runProbes({
    ...{ ...source, model: switched.model },
    session: { config: NO_INTEGER_KERNELS },
    batches: source.batches({ samples }),
    probes: [eachAlone(layers, switched, onLayer)],
  })
  return results[0]
}

/** Asks a switched model about each layer, by its output. */
function eachAlone(
  layers: readonly IntegerLayer[],
  { choose }: SwitchedModel,
  onLayer: AloneInput['onLayer'],
): Probe<ReadonlyMap<string, OutputError>> {
  return {
    attach: ({ model, show }) => {
      show(model.graph.outputs.map(({ name }) => name))
      const sums = new Map(layers.map(({ report }) => [report.output, new ErrorSum()]))
      return {
        observe: async ({ rerun }) => {
          const float = await rerun(choose(undefined))
          for (const { report } of layers) {
            onLayer?.(report)
            sums.get(report.output)!.add(float, await rerun(choose(report.output)))
          }
        },
        result: () => new Map([...sums].map(([output, sum]) => [output, sum.error()])),
      }
    },
  }
}

/** Leave-one-float: the model's output error with each layer alone in float. */
export async function measureFloatAlone(
  input: SensitivityInput,
): Promise<ReadonlyMap<string, OutputError | undefined>> {
  return forEachLayer(input, (layer) => measure(input, [layer]))
}

/** The rows of the report, the most sensitive layer first. */
export function sensitivityRows(
  layers: readonly LayerReport[],
  measured: {
    readonly alone: ReadonlyMap<string, OutputError>
    readonly gains?: {
      readonly whole: OutputError
      readonly without: ReadonlyMap<string, OutputError | undefined>
    }
  },
): readonly LayerSensitivity[] {
  const { alone, gains } = measured
  const rows = rankableLayers(layers).map((layer) => ({
    layer: layer.output,
    node: layer.node,
    op_type: layer.opType,
    quantized_alone_sqnr_db: alone.get(layer.output)?.sqnrDb ?? null,
    float_alone_gain_db:
      gains === undefined ? null : gainDb(gains.whole, gains.without.get(layer.output)),
  }))
  const cost = (row: LayerSensitivity) => alone.get(row.layer)?.noise ?? 0
  return rows.sort((a, b) => cost(b) - cost(a))
}

function gainDb(whole: OutputError, without: OutputError | undefined): number | null {
  if (without === undefined || whole.noise === 0 || without.noise === 0) return null
  return 10 * Math.log10(whole.noise / without.noise)
}

async function forEachLayer(
  { layers, onLayer }: SensitivityInput,
  ask: (layer: LayerReport) => Promise<OutputError | undefined>,
): Promise<ReadonlyMap<string, OutputError | undefined>> {
  const errors = new Map<string, OutputError | undefined>()
  for (const layer of rankableLayers(layers)) {
    onLayer?.(layer)
    errors.set(layer.output, await ask(layer))
  }
  return errors
}

const LEFT_OUT: WhyNot = whyNot('accuracy_fallback', 'left out to see what it costs')

/** Undefined where nothing would be left in integers. */
async function measure(
  { model, statistics, options, forced, reference }: SensitivityInput,
  floats: readonly LayerReport[],
): Promise<OutputError | undefined> {
  const choice = new Map(forced)
  for (const { output } of floats) choice.set(output, LEFT_OUT)
  const result = await unlessNothingIsLeft(() =>
    quantizeExcept(model, statistics, { options, forced: choice }),
  )
  return result === undefined ? undefined : reference.compare(result.model)
}

/** Undefined where leaving layers float left nothing to quantize. */
export async function unlessNothingIsLeft<Result>(
  quantize: () => Result | Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await quantize()
  } catch (error) {
    if (error instanceof CodedError && error.code === 'quantization_not_applicable') {
      return undefined
    }
    throw error
  }
}

/** Outputs of layers, first the one without which the least noise is left. */
export function worstFirst(
  without: ReadonlyMap<string, OutputError | undefined>,
): readonly string[] {
  const noise = (output: string) => without.get(output)?.noise ?? 0
  return [...without.keys()].sort((a, b) => noise(a) - noise(b))
}
