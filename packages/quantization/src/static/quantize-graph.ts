// Quantizes one graph: the main graph of a model, or a branch as a model of its own. The steps, in order:
//   1. settle MatMul + bias, which depends on ranks learned in the run;
//   2. decide which nodes compute in integers (placement);
//   3. quantize weights and biases; a layer that cannot be is taken out, and 2 is repeated;
//   4. write QuantizeLinear and DequantizeLinear.
import type { CalibrationStatistics } from '@pare/calibration'
import { type Diagnostic, type Model, type Node, nodeLabel } from '@pare/graph'
import { opFacts } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'

import { activationParams, type QuantizationParams } from '../integers/params.js'
import type { WeightRange } from '../integers/quantize-weight.js'
import { saturates } from '../integers/saturation.js'
import type { WeightedLayer } from '../layers/layer-weight.js'
import { type QuantizedLayers, quantizeLayers } from '../layers/quantize-layers.js'
import { floatDiagnostics } from '../placement/float-path.js'
import { type Placement, planPlacement } from '../placement/placement.js'
import { calibratedRanges, placementPolicy, type RangeOf } from '../placement/placement-policy.js'
import { unprofitableLayers } from '../placement/region-cost.js'
import { type LayerReport, layerReports, type QuantizedValueReport } from '../report/report.js'
import { keepProductsApart, settleMatMulBias } from './bias-fusion.js'
import { insertQdq } from './insert-qdq.js'
import { hasIntegerKernels, type ResolvedStaticOptions } from './options.js'

/** Layers, by their `LayerReport.output`, that must stay float, and why. */
export type ForcedFloat = ReadonlyMap<string, WhyNot>

export interface QuantizeGraphOptions {
  readonly options: ResolvedStaticOptions
  readonly forced: ForcedFloat
  /** Whether layers that do not pay stay float. */
  readonly countsCost: boolean
  /** Whether it is a branch, which the calibration data may never have reached. */
  readonly isBranch: boolean
}

export interface QuantizedGraph {
  /** In QDQ format; the very model that was given where nothing in it was quantized. */
  readonly model: Model
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
  readonly floats: Placement['floats']
}

export function quantizeGraph(
  model: Model,
  statistics: CalibrationStatistics,
  choice: QuantizeGraphOptions,
): QuantizedGraph {
  const { options, isBranch } = choice
  const prepared = nameJoins(settleMatMulBias(model, statistics, isBranch))
  const rangeOf = calibratedRanges(prepared, statistics)
  const isUnseen = isBranch && Object.keys(statistics.tensors).length === 0
  const plan = settlePlan(prepared, { ...choice, rangeOf })
  const placement = isUnseen ? neverTaken(plan.placement) : plan.placement
  const { activationType, symmetric } = options
  const written = insertQdq(prepared, placement, {
    activationType,
    symmetric,
    params: plan.params,
    weights: plan.layers.weights,
  })
  const layers = layerReports(prepared, {
    placement,
    weights: plan.layers.weights,
    weightNames: written.weightNames,
    valueReport: valueReporter(plan, rangeOf, activationType),
  })
  const isChanged = placement.layers.size > 0
  return {
    model: isChanged ? keepProductsApart(written.model, placement, statistics) : model,
    layers,
    diagnostics: floatDiagnostics(prepared, placement),
    floats: placement.floats,
  }
}

const NEVER_TAKEN = whyNot(
  'branch_not_taken',
  'no sample of the calibration data takes its branch of If (or it reads what is no tensor); the ranges of what follows the If are those of the other branch alone',
)

function neverTaken(placement: Placement): Placement {
  const floats = [...placement.floats].map(
    ([node, stays]) =>
      [node, stays.reason === 'no_calibration_range' ? NEVER_TAKEN : stays] as const,
  )
  return { ...placement, floats: new Map(floats) }
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
  readonly placement: Placement
  readonly layers: QuantizedLayers
  readonly params: ReadonlyMap<string, QuantizationParams>
}

interface PlanInput extends QuantizeGraphOptions {
  readonly rangeOf: RangeOf
}

function settlePlan(model: Model, input: PlanInput): Plan {
  const refused = new Map<Node, WhyNot>()
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
  refused: ReadonlyMap<Node, WhyNot>,
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
  return { placement, layers, params }
}

function forcedFloat(node: Node, forced: ForcedFloat): WhyNot | undefined {
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
