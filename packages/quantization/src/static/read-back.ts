// Reading back what onnxruntime made of a quantized model. Q/DQ that did not become an integer
// kernel is pure cost: the layer computes in float and converts on top.
import {
  firstOf,
  type GraphIndex,
  indexGraph,
  type Model,
  type Node,
  walkGraphs,
  walkNodes,
} from '@pare/graph'
import { decodeModel, encodeModel } from '@pare/onnx'

import type { LayerReport } from '../report/report.js'

/**
 * Loads a model in the target runtime and returns the graph the runtime made of it: a session with
 * `optimizedModelPath` in a folder of the caller's.
 */
export type Optimize = (model: Uint8Array) => Promise<Uint8Array>

export interface ReadBackResult {
  /** The layers, the integer ones with the kernel that computes them, where it can be told. */
  readonly layers: readonly LayerReport[]
  /** Integer layers that the runtime computes in float. */
  readonly unfused: readonly LayerReport[]
}

export async function readBack(
  model: Model,
  layers: readonly LayerReport[],
  optimize: Optimize,
): Promise<ReadBackResult> {
  const optimized = decodeModel(await optimize(encodeModel(model)), {
    repeatedInitializers: 'keep_first',
  })
  const reader = kernelReader(optimized)
  const read = layers.map((layer) => {
    const kernel = layer.decision === 'integer' ? reader(layer) : undefined
    return kernel === undefined ? layer : { ...layer, kernel }
  })
  return { layers: read, unfused: read.filter(({ kernel }) => isFloatKernel(kernel)) }
}

/** The prefix of a kernel that turned out to compute in float. */
const FLOAT = 'float:'

function isFloatKernel(kernel: string | undefined): boolean {
  return kernel?.startsWith(FLOAT) ?? false
}

/**
 * How a layer is found again:
 * 1. a layer with a weight by the name of its int8 weight, which fusions keep: whoever reads it is
 *    the kernel, and DequantizeLinear means that the layer is computed in float;
 * 2. a join by its float output: a node that still writes it computes in float;
 * 3. otherwise a join's kernel by the node's name, to which layout changes append `_token_N`.
 */
function kernelReader(optimized: Model): (layer: LayerReport) => string | undefined {
  const index = indexEverywhere(optimized)
  const nodes = [...walkNodes(optimized.graph, { subgraphs: 'visit' })]
  const byName = new Map(nodes.map((node) => [originalName(node), node]))
  return (layer) => {
    if (layer.weight !== undefined) {
      const readers = index.consumers(layer.weight.name)
      const kernel = readers.find(({ opType }) => opType !== 'DequantizeLinear') ?? readers[0]
      if (kernel?.opType !== 'DequantizeLinear') return kernel?.opType
      return `${FLOAT}${floatReader(kernel, index)?.opType ?? layer.opType}`
    }
    const outputs = [layer.output, layer.outputValue?.name ?? layer.output]
    const writer = outputs
      .map((output) => index.producer(output))
      .find((node) => node !== undefined)
    if (writer !== undefined && isFloatWriter(writer)) return `${FLOAT}${writer.opType}`
    const node = byName.get(layer.node)
    return node === undefined || node.opType === layer.opType ? undefined : node.opType
  }
}

/** The main graph and the bodies in it, whose values have names of their own, as one. */
function indexEverywhere({ graph }: Model): Pick<GraphIndex, 'consumers' | 'producer'> {
  const indices = [...walkGraphs(graph)].map((inner) => indexGraph(inner))
  return {
    producer: (value) => firstOf(indices, (index) => index.producer(value)),
    // Not the If around a body that reads the value.
    consumers: (value) =>
      indices.flatMap((index) =>
        index.consumers(value).filter(({ inputs }) => inputs.includes(value)),
      ),
  }
}

/** What reads a dequantized weight; one in blocks is reshaped in between. */
function floatReader(dequantize: Node, index: Pick<GraphIndex, 'consumers'>): Node | undefined {
  const [reader] = index.consumers(dequantize.outputs[0]!)
  return reader?.opType === 'Reshape' ? index.consumers(reader.outputs[0]!)[0] : reader
}

function originalName(node: Node): string {
  return node.name.replace(/_token_\d+$/, '')
}

/** DequantizeLinear writes the float copy of an integer kernel's output under its old name. */
function isFloatWriter(node: Node): boolean {
  return node.opType !== 'DequantizeLinear' && !/^QLinear|^Q[A-Z]/.test(node.opType)
}
