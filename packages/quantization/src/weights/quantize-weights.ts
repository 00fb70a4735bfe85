// Weight-only quantization: weights of 8, 4 or 2 bits in blocks, activations stay float. For models
// whose size or memory traffic counts: transformers at small batches, embeddings.
import {
  type Diagnostic,
  editGraph,
  type GraphEditor,
  indexGraph,
  type Model,
  type Node,
  nodeLabel,
  onnxOpset,
} from '@pare/graph'
import { raiseOpset, type ValueShapes } from '@pare/passes'
import type { Tensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { removeUnused } from '../written-constants.js'
import { scaleForAwq } from './awq.js'
import type { GridSpec, QuantizedMatrix, WeightBits } from './block-grid.js'
import { keptDiagnostic, note, stays, type StaysUnquantized } from './decision.js'
import { findLayers, type FoundLayers, type WeightLayer } from './find-layers.js'
import { addGrams, type GramStatistics, type InputGram } from './gram-statistics.js'
import {
  type QuantizeWeightsOptions,
  type ResolvedWeightsOptions,
  resolveWeightsOptions,
} from './options.js'
import { quantizeMatrix } from './quantize-matrix.js'
import {
  bytesAfter,
  bytesBefore,
  keptReport,
  quantizedReport,
  type QuantizedWeightSummary,
  summarize,
  type WeightLayerReport,
} from './report.js'
import { weightMatrix } from './weight-matrix.js'
import {
  gemmObstacle,
  MICROSOFT,
  rewriteAsBlockGather,
  rewriteAsNBits,
  weightFactor,
  writePacked,
  writeTable,
} from './write-nbits.js'
import {
  BLOCKED_OPSET,
  readDequantized,
  rewriteAsGatheredCodes,
  writeDequantized,
} from './write-qdq.js'

export interface QuantizeWeightsContext {
  /** `collectGrams(…)` of the same model; `gptq` and `awq` need them. */
  readonly grams?: GramStatistics
  /** As learned by `prepareModel`: ranks that the file does not declare. */
  readonly shapes?: ValueShapes
  /** Fetches the bytes of an external tensor. Called for one weight at a time, none is kept. */
  readonly load?: (tensor: Tensor) => Promise<Tensor>
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  readonly signal?: AbortSignal
}

export interface QuantizeWeightsResult {
  readonly model: Model
  /** One per node with a constant weight, in the order of the nodes. */
  readonly layers: readonly WeightLayerReport[]
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Throws `quantization_options_invalid`, `quantization_statistics_missing` for gptq and awq without
 * Gram matrices, and `quantization_not_applicable` when no weight can be quantized.
 */
export async function quantizeWeights(
  model: Model,
  options: QuantizeWeightsOptions = {},
  context: QuantizeWeightsContext = {},
): Promise<QuantizeWeightsResult> {
  const resolved = resolveWeightsOptions(options)
  const needsGrams = resolved.algorithm === 'gptq' || resolved.algorithm === 'awq'
  if (needsGrams && context.grams === undefined) {
    throw errors.quantization_statistics_missing(
      `${resolved.algorithm} needs Gram matrices of the layers' inputs: collectGrams(…)`,
    )
  }
  const raised = withOpset(model, resolved, context)
  const scaled = await scaledModel(raised, resolved, context)
  const run = new WeightQuantization(scaled.model, resolved, { ...context, ...scaled })
  const result = await run.result()
  return { ...result, diagnostics: [...scaled.diagnostics, ...result.diagnostics] }
}

function withOpset(
  model: Model,
  { format }: ResolvedWeightsOptions,
  { shapes }: QuantizeWeightsContext,
): Model {
  if (format !== 'QDQ' || onnxOpset(model) >= BLOCKED_OPSET) return model
  const raised = raiseOpset(BLOCKED_OPSET, shapes === undefined ? {} : { shapes }).run(model)
  if (onnxOpset(raised.model) >= BLOCKED_OPSET) return raised.model
  throw errors.quantization_not_applicable(
    `blocked DequantizeLinear needs opset ${BLOCKED_OPSET}: ${raised.diagnostics[0]?.message ?? 'the model keeps its own'}`,
  )
}

async function scaledModel(
  model: Model,
  options: ResolvedWeightsOptions,
  { grams, shapes, load = identity }: QuantizeWeightsContext,
): Promise<{ model: Model; grams?: GramStatistics; diagnostics: readonly Diagnostic[] }> {
  if (options.algorithm !== 'awq' || grams === undefined) {
    return { model, ...(grams === undefined ? {} : { grams }), diagnostics: [] }
  }
  const { layers } = find(model, options, shapes)
  const specOf = (layer: WeightLayer) => gridSpec(layer, options)
  return scaleForAwq(model, { ...options, layers, grams, specOf, load })
}

function find(
  model: Model,
  options: ResolvedWeightsOptions,
  shapes: ValueShapes | undefined,
): FoundLayers {
  const index = indexGraph(model.graph)
  return findLayers(model, index, { options, ...(shapes === undefined ? {} : { shapes }) })
}

function identity(tensor: Tensor): Promise<Tensor> {
  return Promise.resolve(tensor)
}

function gridSpec(layer: WeightLayer, options: ResolvedWeightsOptions): GridSpec {
  const { node } = layer
  const { bitsByNode, format, symmetric } = options
  const bits: WeightBits = bitsByNode[node.name] ?? bitsByNode[nodeLabel(node)] ?? options.bits
  // 8 bits are enough for a whole channel of a convolution, and need no Reshape.
  const isChannel = layer.layout === 'conv' && bits === 8 && format === 'QDQ'
  const blockSize = isChannel ? layer.columns : options.blockSize
  return { bits, blockSize, symmetric, scaleType: layer.weight.dataType }
}

interface QuantizedJob {
  readonly quantized: QuantizedMatrix
  readonly summary: QuantizedWeightSummary
}

/** Layers that read one weight alike: it is quantized and written once. */
interface WeightJob {
  readonly spec: GridSpec
  readonly layers: WeightLayer[]
}

class WeightQuantization {
  private readonly editor: GraphEditor
  private readonly found: FoundLayers
  private readonly options: ResolvedWeightsOptions
  private readonly context: QuantizeWeightsContext
  private readonly source: Model
  private readonly kept: Map<Node, StaysUnquantized>
  private readonly summaries = new Map<Node, QuantizedWeightSummary>()
  private readonly diagnostics: Diagnostic[] = []

  constructor(model: Model, options: ResolvedWeightsOptions, context: QuantizeWeightsContext) {
    this.source = model
    this.options = options
    this.context = context
    this.editor = editGraph(model)
    this.found = find(model, options, context.shapes)
    this.kept = new Map(this.found.kept)
  }

  async result(): Promise<QuantizeWeightsResult> {
    const jobs = this.jobs()
    const total = jobs.length
    for (const [done, job] of jobs.entries()) {
      this.context.signal?.throwIfAborted()
      this.context.onProgress?.({ done, total })
      await this.run(job)
    }
    if (this.summaries.size === 0) throw this.notApplicable()
    this.context.onProgress?.({ done: total, total })
    removeUnused(this.editor)
    const model = withMicrosoft(this.editor.finish())
    return { model, layers: this.reports(), diagnostics: this.allDiagnostics(model) }
  }

  private jobs(): readonly WeightJob[] {
    const jobs = new Map<string, WeightJob>()
    for (const layer of this.found.layers) {
      const spec = gridSpec(layer, this.options)
      const kept = this.obstacle(layer, spec)
      if (kept !== undefined) {
        this.kept.set(layer.node, kept)
        continue
      }
      const { bits, blockSize } = spec
      const factor = this.factor(layer)
      const key = [layer.weightName, layer.layout, factor, bits, blockSize].join(' ')
      const known = jobs.get(key)
      if (known === undefined) jobs.set(key, { spec, layers: [layer] })
      else known.layers.push(layer)
    }
    return [...jobs.values()]
  }

  private obstacle(layer: WeightLayer, spec: GridSpec): StaysUnquantized | undefined {
    if (this.options.format === 'MatMulNBits') {
      if (layer.layout === 'table' && spec.bits === 2) {
        return stays('no_kernel', 'GatherBlockQuantized reads 4 and 8 bits')
      }
      const obstacle = gemmObstacle(layer, this.editor)
      if (obstacle !== undefined) return obstacle
    }
    return bytesAfter(layer, spec) < bytesBefore(layer)
      ? undefined
      : stays('not_smaller', 'scales and padding would take what the smaller weights save')
  }

  /** What of Gemm's alpha goes into the weight; with QDQ the Gemm stays and applies it. */
  private factor({ node }: WeightLayer): number {
    return this.options.format === 'MatMulNBits' ? weightFactor(node) : 1
  }

  private async run({ spec, layers }: WeightJob): Promise<void> {
    const first = layers[0]!
    const weight = await (this.context.load ?? identity)(first.weight)
    const matrix = weightMatrix(first, weight, this.factor(first))
    if (!matrix.values.every(Number.isFinite)) {
      const kept = stays('weight_not_finite', 'its weight has infinite values or NaN')
      for (const { node } of layers) this.kept.set(node, kept)
      return
    }
    const gram = this.gramOf(layers)
    const by = quantizeMatrix(matrix, spec, { options: this.options, gram })
    if (by.fallback !== undefined) {
      for (const { node } of layers) this.noteFallback(node, by.fallback)
    }
    const { format } = this.options
    const summary = summarize(first, { matrix, ...by, format, gram })
    this.write({ quantized: by.quantized, summary }, layers)
  }

  private noteFallback(node: Node, reason: string): void {
    const message = `${node.opType} ${nodeLabel(node)} is rounded to nearest: ${reason}`
    this.diagnostics.push(note(node, 'rounded_to_nearest', message))
  }

  private gramOf(layers: readonly WeightLayer[]): InputGram | undefined {
    const { grams } = this.context
    if (layers[0]!.layout !== 'kn' && layers[0]!.layout !== 'nk') return undefined
    const inputs = [...new Set(layers.map(({ input }) => input))]
    const known = inputs.map((input) => grams?.inputs.get(input))
    if (known.some((gram) => gram === undefined || gram.rows === 0)) return undefined
    return (known as readonly InputGram[]).reduce(addGrams)
  }

  private write(job: QuantizedJob, layers: readonly WeightLayer[]): void {
    if (this.options.format === 'QDQ') this.writeQdq(job, layers)
    else this.writeMicrosoft(job, layers)
    for (const { node } of layers) this.summaries.set(node, job.summary)
  }

  private writeMicrosoft({ quantized }: QuantizedJob, layers: readonly WeightLayer[]): void {
    const { editor } = this
    const first = layers[0]!
    if (first.layout === 'table') {
      const written = writeTable(editor, quantized, first)
      for (const layer of layers) rewriteAsBlockGather(editor, layer, written, quantized)
      return
    }
    const written = writePacked(editor, quantized, first)
    const { accuracyLevel } = this.options
    for (const layer of layers) rewriteAsNBits(editor, { layer, written, quantized, accuracyLevel })
  }

  private writeQdq({ quantized }: QuantizedJob, layers: readonly WeightLayer[]): void {
    const { editor } = this
    const first = layers[0]!
    if (first.layout === 'table' && quantized.spec.bits === 8) {
      for (const layer of layers) rewriteAsGatheredCodes(editor, layer, quantized)
      return
    }
    const float = writeDequantized(editor, quantized, first)
    for (const layer of layers) {
      readDequantized(editor, layer, float)
      if (layer.layout !== 'table') continue
      const message = 'the whole table is dequantized in each run; 8 bits or MatMulNBits avoid it'
      this.diagnostics.push(note(layer.node, 'table_dequantized_in_each_run', message, 'warning'))
    }
  }

  private reports(): readonly WeightLayerReport[] {
    return this.source.graph.nodes.flatMap((node) => {
      const kept = this.kept.get(node)
      const summary = this.summaries.get(node)
      if (summary !== undefined) return [quantizedReport(node, summary)]
      return kept === undefined ? [] : [keptReport(node, kept)]
    })
  }

  private allDiagnostics(model: Model): readonly Diagnostic[] {
    const kept = [...this.kept].map(([node, stay]) => keptDiagnostic(node, stay))
    const bodies = this.found.skippedBodies.map((node) =>
      note(node, 'subgraph_skipped', `weights in the body of ${node.opType} stay as they are`),
    )
    const doubled = [...this.summaries]
      .filter(([, { name }]) => model.graph.initializers.has(name))
      .map(([node, { name }]) =>
        note(
          node,
          'weight_kept_too',
          `${name} is read elsewhere and stays beside its integers`,
          'warning',
        ),
      )
    return [...this.diagnostics, ...kept, ...bodies, ...doubled]
  }

  private notApplicable() {
    const reasons = [...new Set([...this.kept.values()].map(({ reason }) => reason))]
    return errors.quantization_not_applicable('the model has no weight that can be quantized', {
      details: { reasons },
    })
  }
}

function withMicrosoft(model: Model): Model {
  const isUsed = model.graph.nodes.some(({ domain }) => domain === MICROSOFT)
  if (!isUsed || model.opsetImports.some(({ domain }) => domain === MICROSOFT)) return model
  return {
    ...model,
    opsetImports: [...model.opsetImports, { domain: MICROSOFT, version: 1 }],
  }
}
