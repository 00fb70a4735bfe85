// Dynamic quantization: int8 weights in the file, activations quantized in each run by what they
// then are. Needs no data. Suits MatMul-heavy models, where it is also faster than float. Bodies of
// If, Loop and Scan are quantized like the main graph.
import {
  type Diagnostic,
  editGraph,
  type Model,
  type Node,
  nodeLabel,
  onnxOpset,
} from '@pare/graph'
import { type MicrosoftOpType, opKeyRow, opRow, type OpTable, type OpType } from '@pare/ops'
import {
  REQUEST_TABLE,
  STEP_TABLE,
  TARGET_ISAS,
  type TargetIsa,
  type WhyNot,
  whyNot,
} from '@pare/recipe'

import { errors } from '../errors.js'
import type { WeightRange } from '../integers/quantize-weight.js'
import { saturates } from '../integers/saturation.js'
import { hasOpenBodies, skippedBody } from '../open-bodies.js'
import { identity, toDiagnostic } from '../report/decision.js'
import type { LayerReport } from '../report/report.js'
import { withMicrosoftOps } from '../writing/microsoft-ops.js'
import { removeUnused } from '../writing/written-constants.js'
import { type DynamicLayer, dynamicRewriteTable } from './dynamic-rewrite-table.js'
import { DynamicWriter } from './operand.js'

export interface QuantizeDynamicOptions {
  /** Default, and for now only, `int8`. */
  readonly weightType?: 'int8'
  /** One weight scale per output channel. Default true. */
  readonly perChannel?: boolean
  /** As for static quantization. Default `auto`. */
  readonly reduceRange?: boolean | 'auto'
  /**
   * Default DYNAMIC_DEFAULT_OP_TYPES. `Conv`, `GRU` and `RNN` make the file smaller and the model
   * slower.
   */
  readonly opTypesToQuantize?: readonly string[]
  readonly nodesToExclude?: readonly string[]
  readonly isa?: TargetIsa
}

export interface QuantizeDynamicResult {
  readonly model: Model
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
}

export const DYNAMIC_DEFAULT_OP_TYPES = [
  'MatMul',
  'Gemm',
  'LSTM',
  'Attention',
  'Gather',
] as const satisfies readonly (OpType | MicrosoftOpType)[]

const { parameters } = STEP_TABLE.quantize_dynamic

const DYNAMIC_DEFAULTS = {
  perChannel: parameters.per_channel.default,
  reduceRange: parameters.reduce_range.default,
  isa: REQUEST_TABLE.target.parameters.isa.default,
} as const satisfies QuantizeDynamicOptions

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
  const { isa, reduceRange, perChannel } = { ...DYNAMIC_DEFAULTS, ...options }
  if (!TARGET_ISAS.includes(isa)) {
    throw errors.quantization_options_invalid(`isa ${isa} is not one of ${TARGET_ISAS.join(', ')}`)
  }
  const editor = editGraph(model)
  const range = weightRange(isa, reduceRange)
  const run = new DynamicQuantization(onnxOpset(model), options)
  run.quantize(new DynamicWriter(editor, { perChannel, weightRange: range }))
  const { layers, diagnostics } = run
  if (!layers.some(({ decision }) => decision === 'integer')) throw notApplicable(run)
  return { model: withMicrosoftOps(editor.finish()), layers, diagnostics }
}

function weightRange(isa: TargetIsa, reduceRange: boolean | 'auto'): WeightRange {
  if (reduceRange === true) return 'reduced'
  return reduceRange === 'auto' && saturates(isa) ? 'pairwise' : 'full'
}

/** Reasons that an error names. */
const MAX_MESSAGES = 5

function notApplicable({ layers, diagnostics }: DynamicQuantization) {
  const messages = [...new Set(layers.map(({ opType, message }) => `${opType}: ${message}`))]
  const known = DYNAMIC_DEFAULT_OP_TYPES.join(', ')
  return errors.quantization_not_applicable(
    messages.length === 0
      ? `the model has no ${known} with constant weights`
      : `every layer stays float: ${messages.slice(0, MAX_MESSAGES).join('; ')}`,
    { details: { reasons: [...new Set(diagnostics.map(({ code }) => code))] } },
  )
}

class DynamicQuantization {
  readonly layers: LayerReport[] = []
  readonly diagnostics: Diagnostic[] = []
  private readonly opset: number
  private readonly options: QuantizeDynamicOptions

  constructor(opset: number, options: QuantizeDynamicOptions) {
    this.opset = opset
    this.options = options
  }

  /** The writer's graph and the bodies in it. */
  quantize(writer: DynamicWriter): void {
    const { editor } = writer
    for (const node of editor.nodes()) {
      if (hasOpenBodies(node)) {
        editor.editBodies(node, (body) => this.quantize(writer.inside(body)))
      }
      const skipped = skippedBody(node)
      if (skipped !== undefined) this.diagnostics.push(skipped)
      const outcome = this.quantizeNode(writer, node)
      if (outcome === undefined) continue
      this.layers.push(report(node, outcome, writer))
      if ('reason' in outcome) this.diagnostics.push(toDiagnostic(node, outcome))
    }
    removeUnused(editor)
  }

  private quantizeNode(writer: DynamicWriter, node: Node): DynamicLayer | WhyNot | undefined {
    const found = opKeyRow(dynamicRewriteTable, node)?.(node, writer.editor)
    if (found === undefined) return undefined
    const forbidden = this.forbidden(node)
    if (forbidden !== undefined) return forbidden
    return 'reason' in found ? found : found.write(writer)
  }

  private forbidden(node: Node): WhyNot | undefined {
    const { nodesToExclude, opTypesToQuantize } = this.options
    if (this.opset < FIRST_OPSET) {
      return whyNot('opset_too_old', `the model's opset is below ${FIRST_OPSET}`)
    }
    if (nodesToExclude?.includes(nodeLabel(node)) === true) {
      return whyNot('excluded_by_name', 'it is in nodes_to_exclude')
    }
    const types: readonly string[] = opTypesToQuantize ?? DYNAMIC_DEFAULT_OP_TYPES
    if (types.includes(node.opType)) return undefined
    return (
      (opTypesToQuantize === undefined ? opRow(BY_REQUEST, node) : undefined) ??
      whyNot('excluded_by_type', 'its type is not in op_types_to_quantize')
    )
  }
}

/** What is quantized only where `op_types_to_quantize` names it, and why. */
const BY_REQUEST: OpTable<WhyNot> = {
  Conv: whyNot(
    'not_worth_converting',
    'ConvInteger is slower than the float Conv; name Conv in op_types_to_quantize to have it anyway',
  ),
  GRU: withoutKernel('GRU'),
  RNN: withoutKernel('RNN'),
}

function withoutKernel(opType: string): WhyNot {
  return whyNot(
    'no_kernel',
    `onnxruntime has no integer kernel for ${opType}; with ${opType} in op_types_to_quantize its weights are stored in int8`,
  )
}

function report(node: Node, outcome: DynamicLayer | WhyNot, writer: DynamicWriter): LayerReport {
  const base = identity(node)
  if ('reason' in outcome) return { ...base, decision: 'float', ...outcome }
  const { weightName, quantized, channels, storedOnly = false } = outcome
  return {
    ...base,
    decision: 'integer',
    ...(storedOnly ? { message: 'its weights are stored in int8 and computed in float' } : {}),
    weight: {
      name: weightName,
      type: 'int8',
      granularity: quantized?.scales.length === 1 ? 'per_tensor' : 'per_channel',
      channels,
      range: storedOnly ? 'full' : writer.weightRange,
      saturationRisk: quantized?.riskyChannels ?? 0,
      bias: 'none',
    },
  }
}
