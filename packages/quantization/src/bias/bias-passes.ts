// Passes over the data that measure what layers put out on average: as floats, through their own
// quantization alone, or behind everything that is quantized before them.
import {
  type AttachedProbe,
  type Outputs,
  type Probe,
  type ProbedBatch,
  type ProbeGraph,
  runProbes,
} from '@pare/calibration'
import type { GraphEditor, Model } from '@pare/graph'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'

import { errors } from '../errors.js'
import type { DataSource } from '../layers/data-source.js'
import type { IntegerLayer } from '../layers/integer-layers.js'
import type { QuantizedValueReport } from '../report/report.js'
import type { ChannelMean } from './bias-estimate.js'
import { MeanWriter } from './bias-means.js'
import { type Shift, shiftQuantized } from './bias-write.js'

/** For each layer, by its output, one row of means for each batch; no biases in them. */
export type LayerMeans = ReadonlyMap<string, readonly ChannelMean[]>

export interface PassInput {
  readonly source: DataSource
  readonly samples: number
  readonly onSamples: (samples: number) => void
  readonly signal: AbortSignal | undefined
}

/** What the float layers put out. */
export function floatMeans(
  model: Model,
  layers: readonly IntegerLayer[],
  input: PassInput,
): Promise<LayerMeans> {
  return measure(model, input, (means) => {
    for (const layer of layers) means.addFloat(layer, 1)
  })
}

/** What they would put out with integers in place of their input and weight, less what they do. */
export function isolatedErrors(
  model: Model,
  layers: readonly IntegerLayer[],
  input: PassInput,
): Promise<LayerMeans> {
  return measure(model, input, (means) => {
    for (const layer of layers) {
      means.addFloat(layer, -1)
      means.addRounded(layer)
    }
  })
}

/** What the layers put out in the quantized model with shifts in the biases before them. */
export function quantizedMeans(
  quantized: Model,
  layers: readonly IntegerLayer[],
  { shifts, ...input }: PassInput & { readonly shifts: readonly Shift[] },
): Promise<LayerMeans> {
  return measure(quantized, input, (means) => {
    for (const shift of shifts) means.shift(shift)
    for (const layer of layers) means.addQuantized(layer)
  })
}

/** Throws `quantization_statistics_missing` when there is no sample. */
async function measure(
  model: Model,
  { source, samples: most, onSamples, signal }: PassInput,
  add: (means: LayerMeansProbe) => void,
): Promise<LayerMeans> {
  const { samples, results } = await runProbes({
    ...{ ...source, model, signal },
    session: { config: NO_INTEGER_KERNELS },
    batches: source.batches({ samples: most }),
    probes: [layerMeans(add)],
    onProgress: ({ samples: seen }) => onSamples(seen),
  })
  if (samples > 0) return results[0]
  throw errors.quantization_statistics_missing('correcting biases needs at least one sample')
}

function layerMeans(add: (means: LayerMeansProbe) => void): Probe<LayerMeans> {
  return {
    attach: (graph) => {
      const means = new LayerMeansProbe(graph)
      add(means)
      return means
    },
  }
}

interface MeanTerm {
  readonly layer: string
  readonly value: string
  readonly factor: number
}

/** Means of layers; the terms of a layer add up. */
class LayerMeansProbe implements AttachedProbe<LayerMeans> {
  private readonly editor: GraphEditor
  private readonly show: ProbeGraph['show']
  private readonly writer: MeanWriter
  private readonly terms: MeanTerm[] = []
  private readonly rounded = new Map<string, string>()
  private readonly weights = new Map<string, string>()
  private readonly means = new Map<string, ChannelMean[]>()

  constructor({ editor, emit, show }: ProbeGraph) {
    this.editor = editor
    this.show = show
    this.writer = new MeanWriter(editor, emit)
  }

  addFloat({ report, float }: IntegerLayer, sign: 1 | -1): void {
    const [input = '', weightName = ''] = float.node.inputs
    const value = this.writer.add({ input, layer: float, weightName, weight: float.weight })
    this.addTerm({ layer: report.output, value, factor: sign * float.weightFactor })
  }

  addRounded(layer: IntegerLayer): void {
    const [input = ''] = layer.float.node.inputs
    this.addIntegers(layer, this.roundTrip(input, layer.report.input))
  }

  addQuantized(layer: IntegerLayer): void {
    this.addIntegers(layer, layer.integers.node.inputs[0]!)
  }

  shift(shift: Shift): void {
    shiftQuantized(this.editor, shift)
  }

  private addIntegers(layer: IntegerLayer, input: string): void {
    const { float } = layer
    const values = tensorFromFloat32(float.weight.dims, layer.integers.values())
    const known = this.weights.get(layer.weightReport.name)
    const weightName = known ?? this.editor.addInitializer('rounded', values)
    this.weights.set(layer.weightReport.name, weightName)
    const value = this.writer.add({ input, layer: float, weightName, weight: values })
    this.addTerm({ layer: layer.report.output, value, factor: 1 })
  }

  private addTerm(term: MeanTerm): void {
    this.terms.push(term)
    this.means.set(term.layer, [])
    this.show([term.value])
  }

  /** x through its 8 bits and back. Wider integers lose nothing that moves a mean. */
  private roundTrip(value: string, params: QuantizedValueReport | undefined): string {
    if (params?.type !== 'uint8' && params?.type !== 'int8') return value
    const known = this.rounded.get(value)
    if (known !== undefined) return known
    const { type, scale, zeroPoint } = params
    const parameters = [
      this.editor.addInitializer('scale', tensorFromFloat32([], Float32Array.of(scale))),
      this.editor.addInitializer('zero', tensorFromInts(type, [], [zeroPoint])),
    ]
    const add = (opType: string, input: string) =>
      this.editor.addNode({ opType, inputs: [input, ...parameters] }).outputs[0]!
    const rounded = add('DequantizeLinear', add('QuantizeLinear', value))
    this.rounded.set(value, rounded)
    return rounded
  }

  /** Rows that fill up a batch count, in the means as in the number of samples that these stand for. */
  async observe(batch: ProbedBatch): Promise<void> {
    for (const [layer, values] of this.collect(await batch.outputs())) {
      this.means.get(layer)!.push({ samples: batch.rows, values })
    }
  }

  result(): LayerMeans {
    return this.means
  }

  private collect(results: Outputs): ReadonlyMap<string, Float64Array> {
    const sums = new Map<string, Float64Array>()
    for (const { layer, value, factor } of this.terms) {
      const data = results[value]!.data as Float32Array
      const known = sums.get(layer)
      if (known === undefined)
        sums.set(
          layer,
          Float64Array.from(data, (x) => x * factor),
        )
      else for (let i = 0; i < data.length; i++) known[i]! += data[i]! * factor
    }
    return sums
  }
}

/**
 * Q and DQ as the specification has them: what integer kernels make of them (saturation, shortcuts
 * in rounding) depends on the processor, and a result must not.
 */
export const NO_INTEGER_KERNELS = { 'session.disable_quant_qdq': '1' } as const
