// What weight quantization did, layer by layer: the rows of the customer's report.
import { type Node, nodeLabel } from '@pare/graph'
import type { LayerDecision, WeightAlgorithm, WeightBits, WhyNot } from '@pare/recipe'
import { elementCount, sizeOf } from '@pare/tensor'

import { dequantize, type GridSpec, type QuantizedMatrix, type WeightMatrix } from './block-grid.js'
import { decibels, outputError, weightError } from './error.js'
import type { WeightLayer } from './find-layers.js'
import type { InputGram } from './gram-statistics.js'
import type { StoredFormat } from './options.js'

/** One node with a weight. Plain JSON. */
export interface WeightLayerReport extends LayerDecision<'quantized' | 'float'> {
  readonly weight?: QuantizedWeightSummary
}

export interface QuantizedWeightSummary {
  readonly name: string
  readonly bits: WeightBits
  readonly blockSize: number
  readonly symmetric: boolean
  readonly algorithm: WeightAlgorithm
  readonly format: StoredFormat
  readonly elements: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Signal to quantization noise of the weight, in decibels. */
  readonly sqnr?: number
  /** The same at the layer's output, for the calibration data; with Gram matrices only. */
  readonly outputSqnr?: number
}

export function keptReport(node: Node, kept: WhyNot): WeightLayerReport {
  return { ...identity(node), decision: 'float', ...kept }
}

export function quantizedReport(node: Node, weight: QuantizedWeightSummary): WeightLayerReport {
  return { ...identity(node), decision: 'quantized', weight }
}

function identity(node: Node) {
  return { node: nodeLabel(node), opType: node.opType, output: node.outputs[0]! }
}

export function summarize(
  layer: WeightLayer,
  {
    matrix,
    quantized,
    algorithm,
    gram,
  }: {
    readonly matrix: WeightMatrix
    readonly quantized: QuantizedMatrix
    readonly algorithm: WeightAlgorithm
    readonly gram: InputGram | undefined
  },
): QuantizedWeightSummary {
  const { bits, blockSize, symmetric } = quantized.spec
  const rounded = dequantize(quantized)
  const sqnr = decibels(weightError(matrix, rounded))
  const outputSqnr =
    gram === undefined ? undefined : decibels(outputError(matrix, rounded, gram.gram))
  return {
    name: layer.weightName,
    bits,
    blockSize,
    symmetric,
    algorithm,
    format: layer.format,
    elements: elementCount(layer.weight.dims),
    bytesBefore: bytesBefore(layer),
    bytesAfter: bytesAfter(layer, quantized.spec),
    ...(sqnr === undefined ? {} : { sqnr }),
    ...(outputSqnr === undefined ? {} : { outputSqnr }),
  }
}

export function bytesBefore({ weight }: WeightLayer): number {
  return elementCount(weight.dims) * sizeOf(weight.dataType)
}

/** Codes, scales and zero points; the last block of a row counts in full. */
export function bytesAfter({ rows, columns }: WeightLayer, spec: GridSpec): number {
  const { bits, blockSize, symmetric, scaleType } = spec
  const blocks = Math.ceil(columns / blockSize)
  const codes = Math.ceil((Math.min(blocks * blockSize, columns + blockSize) * bits) / 8)
  const zeroPoints = symmetric ? 0 : Math.ceil((blocks * bits) / 8)
  return rows * (codes + blocks * sizeOf(scaleType) + zeroPoints)
}
