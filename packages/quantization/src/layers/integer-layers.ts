// Layers with weights as the float model has them, beside the integers that quantization gave them:
// what algorithms start from that compare the two.
import { type GraphIndex, indexGraph, intAttribute, type Model, type Node } from '@pare/graph'
import { elementCount, storedArray, type Tensor, toFloat32 } from '@pare/tensor'

import { branchPrefix } from '../branches/branch-statistics.js'
import { branchesOf } from '../branches/branches.js'
import { blockLayout, channelLayout, forEachBlockValue } from '../integers/channel-layout.js'
import type { WeightArray } from '../integers/weight-integers.js'
import type { LayerReport, QuantizedWeightReport } from '../report/report.js'
import type { QuantizeStaticResult } from '../static/quantize-static.js'
import { type WeightedLayer, weightedLayer } from './layer-weight.js'

export interface IntegerLayer {
  /** Its report; `output` names it. */
  readonly report: LayerReport
  readonly weightReport: QuantizedWeightReport
  /** The layer in the float model. */
  readonly float: WeightedLayer
  /** The Add of a constant that alone reads a MatMul, and that constant. */
  readonly addition: Addition | undefined
  readonly integers: LayerIntegers
}

export interface Addition {
  readonly node: Node
  /** Position among its inputs. */
  readonly input: number
  readonly constant: Tensor
}

export interface LayerIntegers {
  /** The layer in the quantized model (in QDQ format). */
  readonly node: Node
  readonly data: WeightArray
  /** One per channel or block, or one. */
  readonly scales: Float32Array
  /** What DequantizeLinear makes of them, in the order of the float weight. */
  readonly values: () => Float32Array
}

/** In the order of the graph. `quantized` must be made of `model`; layers it left float are not among them. */
export function integerLayers(
  model: Model,
  quantized: QuantizeStaticResult,
): readonly IntegerLayer[] {
  const float = indexGraph(model.graph)
  const integer = indexGraph(quantized.qdq.graph)
  return quantized.layers
    .map((report) => integerLayer(report, float, integer))
    .filter((layer) => layer !== undefined)
}

/** The same with those in branches of If behind them. */
export function integerLayersEverywhere(
  model: Model,
  quantized: QuantizeStaticResult,
): readonly IntegerLayer[] {
  const after = branchesOf(quantized.qdq)
  const inside = branchesOf(model).flatMap((branch) => {
    const same = after.find((other) => branchPrefix(other) === branchPrefix(branch))
    if (same === undefined) return []
    return integerLayersEverywhere(branch.model, { ...quantized, qdq: same.model })
  })
  return [...integerLayers(model, quantized), ...inside]
}

function integerLayer(
  report: LayerReport,
  float: GraphIndex,
  integer: GraphIndex,
): IntegerLayer | undefined {
  if (report.decision !== 'integer' || report.weight === undefined) return undefined
  const node = floatNode(report.output, float)
  const layer = node === undefined ? undefined : weightedLayer(node, float)
  if (layer === undefined || 'reason' in layer) return undefined
  const integers = readIntegers(report, report.weight.name, integer)
  if (integers?.data.length !== elementCount(layer.weight.dims)) return undefined
  const addition = layer.node.opType === 'MatMul' ? additionTo(layer, float) : undefined
  return { report, weightReport: report.weight, float: layer, addition, integers }
}

/** The layer behind a report's output. A Gemm may have been MatMul and Add before. */
function floatNode(output: string, index: GraphIndex): Node | undefined {
  const node = index.producer(output)
  if (node?.opType !== 'Add') return node
  return node.inputs
    .map((input) => index.producer(input))
    .find((producer) => producer?.opType === 'MatMul')
}

function additionTo({ node, channels }: WeightedLayer, index: GraphIndex): Addition | undefined {
  const [output = ''] = node.outputs
  const [add, ...others] = index.consumers(output)
  if (add?.opType !== 'Add' || others.length > 0 || index.isGraphOutput(output)) return undefined
  const input = add.inputs[0] === output ? 1 : 0
  const constant = index.constant(add.inputs[input]!)
  if (constant?.dataType !== 'float32') return undefined
  const count = elementCount(constant.dims)
  const isVector = count === channels && constant.dims.at(-1) === channels
  return isVector || count === 1 ? { node: add, input, constant } : undefined
}

/** The integers are read by DequantizeLinear, and what that makes by the layers that share them. */
function readIntegers(
  { output, outputValue }: LayerReport,
  weightName: string,
  index: GraphIndex,
): LayerIntegers | undefined {
  const weight = index.constant(weightName)
  const [dequantize] = index.consumers(weightName)
  const scale = index.constant(dequantize?.inputs[1] ?? '')
  if (weight === undefined || scale === undefined || dequantize === undefined) return undefined
  const readers = layersBehind(dequantize, index)
  const names = [output, outputValue?.name]
  const node =
    readers.length === 1
      ? readers[0]
      : readers.find((reader) => names.includes(shownAs(reader.outputs[0]!, index)))
  if (node === undefined) return undefined
  const zeroPoint = index.constant(dequantize.inputs[2] ?? '')
  const data = storedArray(weight) as WeightArray
  const scales = toFloat32(scale)
  const values = () => dequantized(dequantize, { weight, data, scales, zeroPoint })
  return { node, data, scales, values }
}

/** Blocks may be reshaped before the layer reads them. */
function layersBehind(dequantize: Node, index: GraphIndex): readonly Node[] {
  const readers = index.consumers(dequantize.outputs[0]!)
  const [reshape] = readers
  return reshape?.opType === 'Reshape' ? index.consumers(reshape.outputs[0]!) : readers
}

/** A graph output written in integers has its name behind QuantizeLinear and DequantizeLinear. */
function shownAs(value: string, index: GraphIndex): string {
  const [next, ...others] = index.consumers(value)
  const isPair = next?.opType === 'QuantizeLinear' && others.length === 0
  const behind = isPair ? index.consumers(next.outputs[0]!)[0]?.outputs[0] : undefined
  return behind !== undefined && index.isGraphOutput(behind) ? behind : value
}

interface Stored {
  readonly weight: Tensor
  readonly data: WeightArray
  readonly scales: Float32Array
  readonly zeroPoint: Tensor | undefined
}

/** (q − zero) · scale in float32, as DequantizeLinear computes it. */
function dequantized(dequantize: Node, { weight, data, scales, zeroPoint }: Stored): Float32Array {
  const axis = intAttribute(dequantize, 'axis', 1)
  const blockSize = intAttribute(dequantize, 'block_size', 0)
  const zeros = zeroPoint === undefined ? undefined : (storedArray(zeroPoint) as WeightArray)
  const values = new Float32Array(data.length)
  if (blockSize > 0) {
    forEachBlockValue(blockLayout(weight.dims, axis, blockSize), (block, index) => {
      values[index] = (data[index]! - (zeros?.[block] ?? 0)) * scales[block]!
    })
    return values
  }
  const layout = channelLayout(weight.dims, scales.length > 1 ? axis : undefined)
  let index = 0
  for (let outer = 0; outer < layout.outer; outer++) {
    for (let channel = 0; channel < layout.channels; channel++) {
      const [zero, scale] = [zeros?.[channel] ?? 0, scales[channel]!]
      for (const end = index + layout.inner; index < end; index++) {
        values[index] = (data[index]! - zero) * scale
      }
    }
  }
  return values
}
