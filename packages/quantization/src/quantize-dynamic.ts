// Dynamic quantization: int8 weights in the file, activations quantized in each run by what they
// then are. Needs no data. Suits MatMul-heavy models, where it is also faster than float.
import {
  type Diagnostic,
  editGraph,
  type GraphIndex,
  indexGraph,
  type Model,
  type Node,
  nodeLabel,
  onnxOpset,
} from '@pare/graph'

import { type StaysFloat, staysFloat, toDiagnostic } from './decision.js'
import { rewriteConv } from './dynamic-conv.js'
import { lstmWeights, rewriteLstm } from './dynamic-lstm.js'
import { rewriteMatMul } from './dynamic-matmul.js'
import { DynamicWriter } from './dynamic-operand.js'
import { errors } from './errors.js'
import { type WeightedLayer, weightedLayer } from './layer-weight.js'
import { withMicrosoftOps } from './microsoft-ops.js'
import type { QuantizedWeight, WeightRange } from './quantize-weight.js'
import type { LayerReport } from './report.js'
import { saturates, TARGET_ISAS, type TargetIsa } from './saturation.js'
import { removeUnused } from './written-constants.js'

export interface QuantizeDynamicOptions {
  /** Default, and for now only, `int8`. */
  readonly weightType?: 'int8'
  /** One weight scale per output channel. Default true. */
  readonly perChannel?: boolean
  /** As for static quantization. Default `auto`. */
  readonly reduceRange?: boolean | 'auto'
  /** Default MatMul, Gemm and LSTM. `Conv` makes the file smaller and the model slower. */
  readonly opTypesToQuantize?: readonly string[]
  readonly nodesToExclude?: readonly string[]
  readonly isa?: TargetIsa
}

export interface QuantizeDynamicResult {
  readonly model: Model
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
}

export const DYNAMIC_DEFAULT_OP_TYPES = ['MatMul', 'Gemm', 'LSTM'] as const

/** Op types that have weights worth quantizing; those not chosen are reported. */
const CANDIDATES: ReadonlySet<string> = new Set(['Conv', 'GRU', 'Gemm', 'LSTM', 'MatMul', 'RNN'])

/** First opset with DynamicQuantizeLinear. */
const FIRST_OPSET = 11

/**
 * Throws `quantization_options_invalid`, and `quantization_not_applicable` when the model has no
 * layer to quantize.
 */
export function quantizeDynamic(
  model: Model,
  options: QuantizeDynamicOptions = {},
): QuantizeDynamicResult {
  const { isa = 'auto', reduceRange = 'auto', perChannel = true } = options
  if (!TARGET_ISAS.includes(isa)) {
    throw errors.quantization_options_invalid(`isa ${isa} is not one of ${TARGET_ISAS.join(', ')}`)
  }
  const editor = editGraph(model)
  const writer = new DynamicWriter(editor, {
    perChannel,
    weightRange: weightRange(isa, reduceRange),
  })
  const index = indexGraph(model.graph)
  const layers: LayerReport[] = []
  const diagnostics: Diagnostic[] = []
  for (const node of model.graph.nodes) {
    if (node.domain !== '' || !CANDIDATES.has(node.opType)) continue
    const outcome = forbidden(node, model, options) ?? rewrite(writer, node, index)
    if (outcome === undefined) continue
    layers.push(report(node, outcome))
    if ('reason' in outcome) diagnostics.push(toDiagnostic(node, outcome))
  }
  if (!layers.some(({ decision }) => decision === 'integer')) {
    throw errors.quantization_not_applicable(
      'the model has no MatMul, Gemm or LSTM with constant weights to quantize',
      { details: { reasons: [...new Set(diagnostics.map(({ code }) => code))] } },
    )
  }
  removeUnused(editor)
  return { model: withMicrosoftOps(editor.finish()), layers, diagnostics }
}

function weightRange(isa: TargetIsa, reduceRange: boolean | 'auto'): WeightRange {
  if (reduceRange === true) return 'reduced'
  return reduceRange === 'auto' && saturates(isa) ? 'pairwise' : 'full'
}

function forbidden(
  node: Node,
  model: Model,
  options: QuantizeDynamicOptions,
): StaysFloat | undefined {
  if (onnxOpset(model) < FIRST_OPSET) {
    return staysFloat('opset_too_old', `the model's opset is below ${FIRST_OPSET}`)
  }
  if (options.nodesToExclude?.includes(node.name) === true) {
    return staysFloat('excluded_by_name', 'it is in nodes_to_exclude')
  }
  if (node.opType === 'GRU' || node.opType === 'RNN') {
    return staysFloat('no_integer_kernel', `onnxruntime has no integer kernel for ${node.opType}`)
  }
  const types: readonly string[] = options.opTypesToQuantize ?? DYNAMIC_DEFAULT_OP_TYPES
  if (types.includes(node.opType)) return undefined
  return node.opType === 'Conv' && options.opTypesToQuantize === undefined
    ? staysFloat('not_worth_converting', 'ConvInteger is slower than the float Conv')
    : staysFloat('excluded_by_type', 'its type is not in op_types_to_quantize')
}

interface Quantized {
  readonly weights: readonly string[]
  readonly quantized?: QuantizedWeight
  readonly layer?: WeightedLayer
  readonly range: WeightRange
}

function rewrite(
  writer: DynamicWriter,
  node: Node,
  index: GraphIndex,
): Quantized | StaysFloat | undefined {
  if (node.opType === 'LSTM') {
    const weights = lstmWeights(node, index)
    if ('reason' in weights) return weights
    return { weights: rewriteLstm(writer, node, weights), range: writer.weightRange }
  }
  const layer = weightedLayer(node, index)
  if (layer === undefined || 'reason' in layer) return layer
  const write = node.opType === 'Conv' ? rewriteConv : rewriteMatMul
  const { weightName, weight } = write(writer, layer)
  return { weights: [weightName], quantized: weight, layer, range: writer.weightRange }
}

function report(node: Node, outcome: Quantized | StaysFloat): LayerReport {
  const base = { node: nodeLabel(node), opType: node.opType, output: node.outputs[0]! }
  if ('reason' in outcome) return { ...base, decision: 'float', ...outcome }
  const { weights, quantized, layer, range } = outcome
  return {
    ...base,
    decision: 'integer',
    weight: {
      name: weights[0]!,
      type: 'int8',
      granularity: quantized?.scales.length === 1 ? 'per_tensor' : 'per_channel',
      channels: layer?.channels ?? 0,
      range,
      saturationRisk: quantized?.riskyChannels ?? 0,
      bias: 'none',
    },
  }
}
