// Static quantization: ranges from calibration, integers in the file. The steps, in order:
//   1. settle MatMul + bias, which depends on ranks learned in the run;
//   2. decide which nodes compute in integers (placement);
//   3. quantize weights and biases; a layer that cannot be is taken out, and 2 is repeated;
//   4. write QuantizeLinear and DequantizeLinear, and from them QOperator where that is asked for.
import type { CalibrationStatistics } from '@pare/calibration'
import { type Diagnostic, type Model, type Node, nodeLabel } from '@pare/graph'
import { opFacts } from '@pare/ops'

import { keepProductsApart, settleMatMulBias } from './bias-fusion.js'
import type { StaysFloat } from './decision.js'
import { errors } from './errors.js'
import { floatDiagnostics } from './float-path.js'
import { insertQdq } from './insert-qdq.js'
import type { WeightedLayer } from './layer-weight.js'
import { notApplicable } from './not-applicable.js'
import {
  hasIntegerKernels,
  type QuantizeStaticOptions,
  type ResolvedStaticOptions,
  resolveStaticOptions,
} from './options.js'
import { activationParams, type QuantizationParams } from './params.js'
import { type Placement, planPlacement } from './placement.js'
import { calibratedRanges, placementPolicy, type RangeOf } from './placement-policy.js'
import { toQOperator } from './qoperator/to-qoperator.js'
import { type QuantizedLayers, quantizeLayers } from './quantize-layers.js'
import type { WeightRange } from './quantize-weight.js'
import { readyModel } from './ready-model.js'
import { unprofitableLayers } from './region-cost.js'
import { type LayerReport, layerReports, type QuantizedValueReport } from './report.js'
import { saturates } from './saturation.js'
import { speedDiagnostics } from './speed-diagnostics.js'

export interface QuantizeStaticResult {
  readonly model: Model
  /** The same in QDQ format, where each layer is still what it was in the float model. */
  readonly qdq: Model
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Layers, by their `LayerReport.output`, that must stay float, and why. */
export type ForcedFloat = ReadonlyMap<string, StaysFloat>

/**
 * Quantizes a model. `statistics` come from `calibrate` on `observationPoints(model,
 * options)`. Graph inputs and outputs keep names and float32 type. Throws
 * `quantization_options_invalid`, `quantization_statistics_missing` when the statistics hold none of
 * the model's values, and `quantization_not_applicable` when nothing could be quantized.
 */
export function quantizeStatic(
  model: Model,
  statistics: CalibrationStatistics,
  options: QuantizeStaticOptions = {},
): QuantizeStaticResult {
  return quantizeExcept(model, statistics, { options, forced: new Map() })
}

/** `quantizeStatic` with layers that the runtime is known not to compute in integers. */
export function quantizeExcept(
  model: Model,
  statistics: CalibrationStatistics,
  choice: { readonly options: QuantizeStaticOptions; readonly forced: ForcedFloat },
): QuantizeStaticResult {
  const ready = readyModel(model, resolveStaticOptions(choice.options), statistics)
  const { options } = ready
  const prepared = nameJoins(settleMatMulBias(ready.model, statistics))
  const rangeOf = calibratedRanges(prepared, statistics)
  const plan = planFor(prepared, { options, rangeOf, forced: choice.forced })
  if (plan.placement.layers.size === 0) throw nothingQuantized(plan.placement, statistics)
  const { activationType, symmetric } = options
  const written = insertQdq(prepared, plan.placement, {
    activationType,
    symmetric,
    params: plan.params,
    weights: plan.layers.weights,
  })
  const qdq = keepProductsApart(written.model, plan.placement, statistics)
  const layers = layerReports(prepared, {
    placement: plan.placement,
    weights: plan.layers.weights,
    weightNames: written.weightNames,
    valueReport: valueReporter(plan, rangeOf, activationType),
  })
  const { format } = options
  return {
    model: format === 'QOperator' ? toQOperator().run(qdq).model : qdq,
    qdq,
    layers,
    diagnostics: [
      ...ready.diagnostics,
      ...speedDiagnostics(options, layers, plan.countsCost || !hasIntegerKernels(options)),
      ...floatDiagnostics(prepared, plan.placement),
    ],
  }
}

/**
 * Joins without a name are named after their output: layers with weights are found again in the
 * runtime's graph by their weight, joins by their name.
 */
function nameJoins(model: Model): Model {
  const isNameless = (node: Node) => {
    const facts = opFacts(node)
    const weight = facts?.weightInput === undefined ? undefined : node.inputs[facts.weightInput]
    const isLayer = weight !== undefined && model.graph.initializers.has(weight)
    return node.name === '' && facts?.integerKernel !== undefined && !isLayer
  }
  if (!model.graph.nodes.some(isNameless)) return model
  const nodes = model.graph.nodes.map((node) =>
    isNameless(node) ? { ...node, name: nodeLabel(node) } : node,
  )
  return { ...model, graph: { ...model.graph, nodes } }
}

interface Plan {
  /** Whether layers that do not pay were left float. */
  readonly countsCost: boolean
  readonly placement: Placement
  readonly layers: QuantizedLayers
  readonly params: ReadonlyMap<string, QuantizationParams>
}

interface PlanInput {
  readonly options: ResolvedStaticOptions
  readonly rangeOf: RangeOf
  readonly forced: ForcedFloat
  readonly countsCost: boolean
}

/** Where no layer is worth its conversions, all are quantized all the same: the file gets smaller. */
function planFor(model: Model, input: Omit<PlanInput, 'countsCost'>): Plan {
  // Where nothing is faster in integers anyway, cost is not what the caller is after.
  const countsCost = hasIntegerKernels(input.options)
  const plan = settlePlan(model, { ...input, countsCost })
  if (plan.placement.layers.size > 0 || !countsCost) return plan
  return settlePlan(model, { ...input, countsCost: false })
}

function settlePlan(model: Model, input: PlanInput): Plan {
  const refused = new Map<Node, StaysFloat>()
  for (;;) {
    const plan = planOnce(model, input, refused)
    const costly = input.countsCost ? unprofitableLayers(model, plan.placement) : []
    const stays = [...plan.layers.refused, ...costly]
    if (stays.length === 0) return plan
    for (const [node, reason] of stays) refused.set(node, reason)
  }
}

function planOnce(
  model: Model,
  { options, rangeOf, forced, countsCost }: PlanInput,
  refused: ReadonlyMap<Node, StaysFloat>,
): Plan {
  const policy = placementPolicy(model, options, rangeOf, countsCost)
  const placement = planPlacement(model, {
    ...policy,
    forbids: (node) => refused.get(node) ?? forcedFloat(node, forced) ?? policy.forbids(node),
  })
  const params = new Map<string, QuantizationParams>()
  for (const owner of placement.owners.values()) {
    const { activationType, symmetric } = options
    if (params.has(owner)) continue
    params.set(owner, activationParams(rangeOf(owner)!, activationType, { symmetric }))
  }
  const inputScale = ({ node }: WeightedLayer) =>
    params.get(placement.owners.get(node.inputs[0]!)!)!.scale
  const { weightType, perChannel, blockSize } = options
  const layers = quantizeLayers(placement.layers.values(), {
    weightType,
    perChannel,
    blockSize,
    weightRange: weightRange(options),
    inputScale,
    hasKernels: hasIntegerKernels(options),
  })
  return { countsCost, placement, layers, params }
}

function forcedFloat(node: Node, forced: ForcedFloat): StaysFloat | undefined {
  return forced.size === 0 ? undefined : forced.get(node.outputs[0] ?? '')
}

/** Kernels for uint8 weights add in 32 bits; 16-bit activations have none at all. */
function weightRange(options: ResolvedStaticOptions): WeightRange {
  const { reduceRange, isa, weightType } = options
  if (reduceRange === true) return 'reduced'
  const maySaturate = weightType === 'int8' && hasIntegerKernels(options) && saturates(isa)
  return reduceRange === 'auto' && maySaturate ? 'pairwise' : 'full'
}

function valueReporter(plan: Plan, rangeOf: RangeOf, type: string) {
  return (value: string): QuantizedValueReport | undefined => {
    const owner = plan.placement.owners.get(value)
    const params = owner === undefined ? undefined : plan.params.get(owner)
    const range = owner === undefined ? undefined : rangeOf(owner)
    return params === undefined || range === undefined
      ? undefined
      : { name: value, type, ...params, range }
  }
}

function nothingQuantized(placement: Placement, statistics: CalibrationStatistics): Error {
  if (Object.keys(statistics.tensors).length > 0) return notApplicable(placement)
  return errors.quantization_statistics_missing(
    'the calibration statistics hold no tensor; observe observationPoints(model)',
  )
}
