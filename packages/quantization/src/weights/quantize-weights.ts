// Weight-only quantization: weights of 8, 4 or 2 bits in blocks, activations stay float. For models
// whose size or memory traffic counts: transformers at small batches, embeddings. Bodies of If, Loop
// and Scan are quantized too.
import {
  type Diagnostic,
  editGraph,
  type GraphEditor,
  type Model,
  type Node,
  nodeLabel,
  onnxOpset,
  runPass,
  walkNodes,
} from '@pare/graph'
import { raiseOpset, type ValueShapes } from '@pare/passes'
import { type WeightBits, type WhyNot, whyNot } from '@pare/recipe'
import type { Tensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { hasOpenBodies, skippedBody } from '../open-bodies.js'
import { withMicrosoftOps } from '../writing/microsoft-ops.js'
import { removeUnused } from '../writing/written-constants.js'
import { scaleForAwq } from './awq.js'
import type { GridSpec } from './block-grid.js'
import { keptDiagnostic, note } from './decision.js'
import { findBodyLayers, findLayers, type WeightLayer } from './find-layers.js'
import { addGrams, type GramStatistics, type InputGram } from './gram-statistics.js'
import { gridSpec, requestedBits } from './grid-spec.js'
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
import { gemmObstacle } from './write-nbits.js'
import { BLOCKED_OPSET } from './write-qdq.js'
import { type Rewrite, writeWeight } from './write-weight.js'

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
  /** One per node with a constant weight, in the order of the nodes, those of bodies too. */
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

/** Blocks and 4-bit types came with one opset. With `auto`, convolutions get 8 bits where it is out of reach. */
function withOpset(
  model: Model,
  options: ResolvedWeightsOptions,
  { shapes }: QuantizeWeightsContext,
): Model {
  const isNew = onnxOpset(model) >= BLOCKED_OPSET
  const isAuto = options.format === 'auto'
  if (isNew || options.format === 'MatMulNBits') return model
  if (isAuto && !hasNarrowConvolutions(model, options)) return model
  const raised = runPass(raiseOpset(BLOCKED_OPSET, shapes === undefined ? {} : { shapes }), model)
  if (onnxOpset(raised.model) >= BLOCKED_OPSET) return raised.model
  if (isAuto) return model
  throw errors.quantization_not_applicable(
    `blocked DequantizeLinear needs opset ${BLOCKED_OPSET}: ${raised.diagnostics[0]?.message ?? 'the model keeps its own'}`,
  )
}

function hasNarrowConvolutions({ graph }: Model, options: ResolvedWeightsOptions): boolean {
  return [findLayers(graph, { options }), findBodyLayers(graph, { options })]
    .flatMap(({ layers }) => layers)
    .some((layer) => layer.format === 'Cast' && requestedBits(layer, options) < 8)
}

async function scaledModel(
  model: Model,
  options: ResolvedWeightsOptions,
  { grams, shapes, load = identity }: QuantizeWeightsContext,
): Promise<{ model: Model; grams?: GramStatistics; diagnostics: readonly Diagnostic[] }> {
  if (options.algorithm !== 'awq' || grams === undefined) {
    return { model, ...(grams === undefined ? {} : { grams }), diagnostics: [] }
  }
  const { layers } = findLayers(model.graph, findOptions(options, shapes))
  const specOf = (layer: WeightLayer) => gridSpec(layer, options, onnxOpset(model))
  return scaleForAwq(model, { ...options, layers, grams, specOf, load })
}

function findOptions(options: ResolvedWeightsOptions, shapes: ValueShapes | undefined) {
  return { options, ...(shapes === undefined ? {} : { shapes }) }
}

function identity(tensor: Tensor): Promise<Tensor> {
  return Promise.resolve(tensor)
}

/** What the nodes that `write-cast.ts` adds for a weight take in the file. */
const CAST_BYTES = 256

/** Reasons that an error names. */
const MAX_MESSAGES = 5

/** Layers that read one weight alike: it is quantized and written once. */
interface WeightJob {
  readonly spec: GridSpec
  readonly layers: WeightLayer[]
}

class WeightQuantization {
  private readonly editor: GraphEditor
  private readonly layers: readonly WeightLayer[]
  private readonly options: ResolvedWeightsOptions
  private readonly context: QuantizeWeightsContext
  private readonly source: Model
  private readonly kept: Map<Node, WhyNot>
  private readonly rewrites = new Map<Node, Rewrite>()
  private readonly summaries = new Map<Node, QuantizedWeightSummary>()
  private readonly diagnostics: Diagnostic[] = []

  constructor(model: Model, options: ResolvedWeightsOptions, context: QuantizeWeightsContext) {
    this.source = model
    this.options = options
    this.context = context
    this.editor = editGraph(model)
    const find = findOptions(options, context.shapes)
    const [main, bodies] = [findLayers(model.graph, find), findBodyLayers(model.graph, find)]
    this.layers = [...main.layers, ...bodies.layers]
    this.kept = new Map([...main.kept, ...bodies.kept])
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
    this.rewrite(this.editor)
    const model = withMicrosoftOps(this.editor.finish())
    return { model, layers: this.reports(), diagnostics: this.allDiagnostics(model) }
  }

  private jobs(): readonly WeightJob[] {
    const jobs = new Map<string, WeightJob>()
    // Bodies beside each other may use one name for different weights.
    const ids = new Map<Tensor, number>()
    for (const layer of this.layers) {
      const spec = gridSpec(layer, this.options, onnxOpset(this.source))
      const kept = this.obstacle(layer, spec)
      if (kept !== undefined) {
        this.kept.set(layer.node, kept)
        continue
      }
      const { bits, blockSize } = spec
      const factor = this.factor(layer)
      const id = ids.get(layer.weight) ?? ids.size
      ids.set(layer.weight, id)
      const key = [id, layer.layout, factor, bits, blockSize].join(' ')
      const known = jobs.get(key)
      if (known === undefined) jobs.set(key, { spec, layers: [layer] })
      else known.layers.push(layer)
    }
    return [...jobs.values()]
  }

  private obstacle(layer: WeightLayer, spec: GridSpec): WhyNot | undefined {
    if (layer.format === 'MatMulNBits') {
      if (layer.layout === 'table' && spec.bits === 2) {
        return whyNot('no_kernel', 'GatherBlockQuantized reads 4 and 8 bits')
      }
      const obstacle = gemmObstacle(layer)
      if (obstacle !== undefined) return obstacle
    }
    const bytesOfNodes = layer.format === 'Cast' ? CAST_BYTES : 0
    return bytesAfter(layer, spec) + bytesOfNodes < bytesBefore(layer)
      ? undefined
      : whyNot('not_smaller', 'scales and padding would take what the smaller weights save')
  }

  /** What of Gemm's alpha goes into the weight; with QDQ the Gemm stays and applies it. */
  private factor({ weightFactor, format }: WeightLayer): number {
    return format === 'MatMulNBits' ? weightFactor : 1
  }

  private async run({ spec, layers }: WeightJob): Promise<void> {
    const first = layers[0]!
    const weight = await (this.context.load ?? identity)(first.weight)
    const matrix = weightMatrix(first, weight, this.factor(first))
    if (!matrix.values.every(Number.isFinite)) {
      const kept = whyNot('weight_not_finite', 'its weight has infinite values or NaN')
      for (const { node } of layers) this.kept.set(node, kept)
      return
    }
    const gram = this.gramOf(layers)
    const by = quantizeMatrix(matrix, spec, { options: this.options, gram })
    if (by.fallback !== undefined) {
      for (const { node } of layers) this.noteFallback(node, by.fallback)
    }
    const summary = summarize(first, { matrix, ...by, gram })
    for (const { node } of layers) this.summaries.set(node, summary)
    const asked = requestedBits(first, this.options)
    if (spec.bits !== asked) for (const { node } of layers) this.noteBits(node, asked, spec.bits)
    const { options } = this
    const { shapes } = this.context
    const rewrites = writeWeight(this.editor, by.quantized, { layers, options, shapes })
    for (const [node, rewrite] of rewrites) {
      this.rewrites.set(node, rewrite)
    }
    if (first.layout === 'table' && first.format === 'QDQ' && spec.bits !== 8) {
      for (const { node } of layers) this.warnOfTable(node)
    }
  }

  private warnOfTable(node: Node): void {
    const message = 'the whole table is dequantized in each run; 8 bits or MatMulNBits avoid it'
    this.diagnostics.push(note(node, 'table_dequantized_in_each_run', message, 'warning'))
  }

  private noteBits(node: Node, asked: WeightBits, bits: WeightBits): void {
    const message = `${node.opType} ${nodeLabel(node)} has ${bits} bits: nothing reads ${asked} of it`
    this.diagnostics.push(note(node, 'more_bits', message))
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

  /** Rewrites the nodes of a graph and of the bodies in it. */
  private rewrite(editor: GraphEditor): void {
    for (const node of editor.nodes()) {
      if (hasOpenBodies(node)) editor.editBodies(node, (body) => this.rewrite(body))
      else this.rewrites.get(node)?.(editor)
    }
    removeUnused(editor)
  }

  private reports(): readonly WeightLayerReport[] {
    const nodes = [...walkNodes(this.source.graph, { subgraphs: 'visit' })]
    return nodes.flatMap((node) => {
      const kept = this.kept.get(node)
      const summary = this.summaries.get(node)
      if (summary !== undefined) return [quantizedReport(node, summary)]
      return kept === undefined ? [] : [keptReport(node, kept)]
    })
  }

  private allDiagnostics(model: Model): readonly Diagnostic[] {
    const kept = [...this.kept].map(([node, stay]) => keptDiagnostic(node, stay))
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
    const skipped = this.source.graph.nodes.map(skippedBody).filter((one) => one !== undefined)
    return [...this.diagnostics, ...kept, ...skipped, ...doubled]
  }

  private notApplicable() {
    const kept = [...this.kept.values()]
    const messages = [...new Set(kept.map(({ message }) => message))].slice(0, MAX_MESSAGES)
    const why = messages.length === 0 ? 'it has none of two dimensions' : messages.join('; ')
    return errors.quantization_not_applicable(`no weight of the model can be quantized: ${why}`, {
      details: { reasons: [...new Set(kept.map(({ reason }) => reason))] },
    })
  }
}
