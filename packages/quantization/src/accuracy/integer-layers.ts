// Layers with weights as the float model has them, beside the integers that quantization gave them:
// what algorithms start from that compare the two.
import { type GraphIndex, indexGraph, type Model, type Node } from '@pare/graph'
import { elementCount, storedArray, type Tensor, toFloat32 } from '@pare/tensor'

import { channelLayout, forEachValue } from '../channels.js'
import { type WeightedLayer, weightedLayer } from '../layer-weight.js'
import type { QuantizeStaticResult } from '../quantize-static.js'
import type { LayerReport, QuantizedWeightReport } from '../report.js'

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
  /** The layer in the quantized model. */
  readonly node: Node
  readonly data: Int8Array
  /** One per channel, or one. */
  readonly scales: Float32Array
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

function integerLayer(
  report: LayerReport,
  float: GraphIndex,
  integer: GraphIndex,
): IntegerLayer | undefined {
  if (report.decision !== 'integer' || report.weight === undefined) return undefined
  if (report.weight.granularity === 'blocked') return undefined
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

/** The int8 weight is read by DequantizeLinear nodes, and those by the layers that share it. */
function readIntegers(
  { output, outputValue }: LayerReport,
  weightName: string,
  index: GraphIndex,
): LayerIntegers | undefined {
  const weight = index.constant(weightName)
  const [dequantize] = index.consumers(weightName)
  const scale = index.constant(dequantize?.inputs[1] ?? '')
  if (weight?.dataType !== 'int8' || scale === undefined || dequantize === undefined) {
    return undefined
  }
  const readers = index.consumers(dequantize.outputs[0]!)
  const names = [output, outputValue?.name]
  const node =
    readers.length === 1
      ? readers[0]
      : readers.find((reader) => names.includes(shownAs(reader.outputs[0]!, index)))
  if (node === undefined) return undefined
  return { node, data: storedArray(weight) as Int8Array, scales: toFloat32(scale) }
}

/** A graph output written in integers has its name behind QuantizeLinear and DequantizeLinear. */
function shownAs(value: string, index: GraphIndex): string {
  const [next, ...others] = index.consumers(value)
  const isPair = next?.opType === 'QuantizeLinear' && others.length === 0
  const behind = isPair ? index.consumers(next.outputs[0]!)[0]?.outputs[0] : undefined
  return behind !== undefined && index.isGraphOutput(behind) ? behind : value
}

/** scale · q in float32: what DequantizeLinear makes of the weight. */
export function dequantizedWeight({ float, integers }: IntegerLayer): Float32Array {
  const { data, scales } = integers
  const layout = channelLayout(float.weight.dims, scales.length > 1 ? float.axis : undefined)
  const values = new Float32Array(data.length)
  forEachValue(layout, (channel, index) => {
    values[index] = data[index]! * scales[channel]!
  })
  return values
}
