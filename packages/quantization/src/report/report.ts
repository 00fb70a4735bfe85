// What quantization did, layer by layer: the rows of the customer's report.
import type { Model, Node } from '@pare/graph'
import { opFacts } from '@pare/ops'
import type { LayerDecision, WeightType } from '@pare/recipe'

import type { QuantizationParams, RealRange } from '../integers/params.js'
import type { WeightRange } from '../integers/quantize-weight.js'
import type { QuantizedLayer } from '../layers/quantize-layers.js'
import { dataPath } from '../placement/data-path.js'
import type { Placement } from '../placement/placement.js'
import { identity } from './decision.js'

/** One node that onnxruntime could compute in integers. Plain JSON. */
export interface LayerReport extends LayerDecision<'integer' | 'float'> {
  readonly input?: QuantizedValueReport
  readonly outputValue?: QuantizedValueReport
  readonly weight?: QuantizedWeightReport
  /** The onnxruntime kernel that computes it, once read back. */
  readonly kernel?: string
}

export interface QuantizedValueReport extends QuantizationParams {
  readonly name: string
  readonly type: string
  readonly range: RealRange
}

export interface QuantizedWeightReport {
  readonly name: string
  readonly type: WeightType
  readonly granularity: 'per_channel' | 'per_tensor' | 'blocked'
  readonly channels: number
  readonly range: WeightRange
  /** Channels that a processor without VNNI may saturate. */
  readonly saturationRisk: number
  readonly bias: 'int32' | 'float32' | 'none'
}

export interface LayerReportContext {
  readonly placement: Placement
  readonly weights: ReadonlyMap<Node, QuantizedLayer>
  readonly weightNames: ReadonlyMap<Node, string>
  readonly valueReport: (value: string) => QuantizedValueReport | undefined
}

export function layerReports(model: Model, context: LayerReportContext): readonly LayerReport[] {
  return [...dataPath(model)]
    .filter((node) => opFacts(node)?.integerKernel !== undefined)
    .map((node) => layerReport(node, context))
    .filter((report) => report !== undefined)
}

function layerReport(node: Node, context: LayerReportContext): LayerReport | undefined {
  const { placement } = context
  const emitted = placement.emitters.get(node)
  const base = identity(node)
  const stays = placement.floats.get(node)
  if (stays !== undefined) return { ...base, decision: 'float', ...stays }
  if (!placement.layers.has(node) && !placement.joins.has(node)) return undefined
  const input = context.valueReport(node.inputs[0]!)
  const outputValue = emitted === undefined ? undefined : context.valueReport(emitted.output)
  const weight = weightReport(node, context)
  return {
    ...base,
    decision: 'integer',
    ...(input === undefined ? {} : { input }),
    ...(outputValue === undefined ? {} : { outputValue }),
    ...(weight === undefined ? {} : { weight }),
  }
}

function weightReport(node: Node, context: LayerReportContext): QuantizedWeightReport | undefined {
  const layer = context.weights.get(node)
  if (layer === undefined) return undefined
  return {
    name: context.weightNames.get(node) ?? layer.layer.weightName,
    type: layer.weight.type,
    granularity: layer.weight.granularity,
    channels: layer.layer.channels,
    range: layer.range,
    saturationRisk: layer.weight.riskyChannels,
    bias: layer.bias !== undefined ? 'int32' : layer.layer.bias === undefined ? 'none' : 'float32',
  }
}
