// Which operators dynamic quantization knows, and how each is rewritten.
import { type GraphIndex, type Node } from '@pare/graph'
import type { OpKeyTable } from '@pare/ops'
import type { WhyNot } from '@pare/recipe'

import type { QuantizedWeight } from '../integers/quantize-weight.js'
import { weightedLayer } from '../layers/layer-weight.js'
import { attentionLayer, rewriteAttention } from './attention.js'
import { rewriteConv } from './conv.js'
import { rewriteGather, tableLayer } from './gather.js'
import { lstmWeights, rewriteLstm } from './lstm.js'
import { rewriteMatMul } from './matmul.js'
import type { DynamicWriter } from './operand.js'
import { recurrentWeights, storeRecurrent } from './recurrent.js'

/** A layer whose weight is in integers now. */
export interface DynamicLayer {
  readonly weightName: string
  readonly channels: number
  readonly quantized?: QuantizedWeight
  /** The arithmetic stays float. */
  readonly storedOnly?: boolean
}

/** A layer that can be rewritten. */
export interface DynamicMatch {
  readonly write: (writer: DynamicWriter) => DynamicLayer
}

/** Undefined for a node that has no weight at all. */
export type DynamicRule = (node: Node, index: GraphIndex) => DynamicMatch | WhyNot | undefined

const matMul: DynamicRule = (node, index) => {
  const layer = weightedLayer(node, index)
  if (layer === undefined || 'reason' in layer) return layer
  const rewrite = node.opType === 'Conv' ? rewriteConv : rewriteMatMul
  return {
    write: (writer) => {
      const { weightName, weight } = rewrite(writer, layer)
      return { weightName, quantized: weight, channels: layer.channels }
    },
  }
}

const lstm: DynamicRule = (node, index) => {
  const weights = lstmWeights(node, index)
  if ('reason' in weights) return weights
  const channels = weights.w.dims[0]! * weights.w.dims[1]!
  return {
    write: (writer) => ({ weightName: rewriteLstm(writer, node, weights)[0], channels }),
  }
}

const recurrent: DynamicRule = (node, index) => {
  const weights = recurrentWeights(node, index)
  if ('reason' in weights) return weights
  const [directions = 1, rows = 0] = weights[0].tensor.dims
  return {
    write: (writer) => ({
      weightName: storeRecurrent(writer, node, weights)[0]!,
      channels: directions * rows,
      storedOnly: true,
    }),
  }
}

const attention: DynamicRule = (node, index) => {
  const layer = attentionLayer(node, index)
  if ('reason' in layer) return layer
  return {
    write: (writer) => {
      const { weightName, weight } = rewriteAttention(writer, node, layer)
      return { weightName, quantized: weight, channels: layer.channels }
    },
  }
}

const gather: DynamicRule = (node, index) => {
  const layer = tableLayer(node, index)
  if (layer === undefined || 'reason' in layer) return layer
  return {
    write: (writer) => {
      const { weightName, weight } = rewriteGather(writer, node, layer)
      return { weightName, quantized: weight, channels: layer.channels, storedOnly: true }
    },
  }
}

/** By operator, with the domain where it is not ai.onnx. */
export const dynamicRewriteTable: OpKeyTable<DynamicRule> = {
  Conv: matMul,
  GRU: recurrent,
  Gather: gather,
  Gemm: matMul,
  LSTM: lstm,
  MatMul: matMul,
  RNN: recurrent,
  'com.microsoft.Attention': attention,
}
