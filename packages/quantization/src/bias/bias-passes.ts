// Passes over the data that measure what layers put out on average: as floats, through their own
// quantization alone, or behind everything that is quantized before them.
import { rowsOf } from '@pare/calibration'
import { editGraph, type GraphEditor, type Model, onnxOpset } from '@pare/graph'
import { encodeModel } from '@pare/onnx'
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
export async function floatMeans(
  model: Model,
  layers: readonly IntegerLayer[],
  input: PassInput,
): Promise<LayerMeans> {
  const graph = new MeanGraph(model)
  for (const layer of layers) graph.addFloat(layer, 1)
  return graph.run(input)
}

/** What they would put out with integers in place of their input and weight, less what they do. */
export async function isolatedErrors(
  model: Model,
  layers: readonly IntegerLayer[],
  input: PassInput,
): Promise<LayerMeans> {
  const graph = new MeanGraph(model)
  for (const layer of layers) {
    graph.addFloat(layer, -1)
    graph.addRounded(layer)
  }
  return graph.run(input)
}

/** What the layers put out in the quantized model with shifts in the biases before them. */
export async function quantizedMeans(
  quantized: Model,
  layers: readonly IntegerLayer[],
  { shifts, ...input }: PassInput & { readonly shifts: readonly Shift[] },
): Promise<LayerMeans> {
  const graph = new MeanGraph(quantized)
  for (const shift of shifts) graph.shift(shift)
  for (const layer of layers) graph.addQuantized(layer)
  return graph.run(input)
}

interface MeanTerm {
  readonly layer: string
  readonly value: string
  readonly factor: number
}

/** A model whose outputs are means of layers; the terms of a layer add up. */
class MeanGraph {
  private readonly editor: GraphEditor
  private readonly writer: MeanWriter
  private readonly terms: MeanTerm[] = []
  private readonly rounded = new Map<string, string>()
  private readonly weights = new Map<string, string>()

  constructor(model: Model) {
    this.editor = editGraph(model)
    this.writer = new MeanWriter(this.editor, onnxOpset(model))
  }

  addFloat({ report, float }: IntegerLayer, sign: 1 | -1): void {
    const [input = '', weightName = ''] = float.node.inputs
    const value = this.writer.add({ input, layer: float, weightName, weight: float.weight })
    this.terms.push({ layer: report.output, value, factor: sign * float.weightFactor })
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
    this.terms.push({ layer: layer.report.output, value, factor: 1 })
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

  /** Throws `quantization_statistics_missing` when there is no sample. */
  async run({ source, samples, onSamples, signal }: PassInput): Promise<LayerMeans> {
    const names = this.terms.map(({ value }) => ({ name: value, metadataProps: [] }))
    this.editor.setOutputs(names)
    const session = await source.runtime.createSession(encodeModel(this.editor.finish()), {
      intraOpThreads: source.threads,
      config: NO_INTEGER_KERNELS,
    })
    const means = new Map<string, ChannelMean[]>(this.terms.map(({ layer }) => [layer, []]))
    let seen = 0
    try {
      for await (const feeds of source.batches({ samples })) {
        signal?.throwIfAborted()
        const count = rowsOf(feeds)
        const results = await session.run(feeds)
        for (const [layer, values] of this.collect(results)) {
          means.get(layer)!.push({ samples: count, values })
        }
        onSamples((seen += count))
      }
    } finally {
      await session.release()
    }
    if (seen === 0) {
      throw errors.quantization_statistics_missing('correcting biases needs at least one sample')
    }
    return means
  }

  private collect(
    results: Readonly<Record<string, { readonly data: unknown }>>,
  ): ReadonlyMap<string, Float64Array> {
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
