// AdaRound: rounding each weight to the nearest integer is not what changes a layer's output least.
// For every layer the roundings are chosen together, so that their errors cancel out on the inputs
// that the data really has: ‖(W − Ŵ)·X‖² = tr(ΔW · XXᵀ · ΔWᵀ), for which one pass over the data is
// enough (Nagel et al. 2020; the relaxation is in adaround-optimize.ts, its end in adaround-descent.ts).
import { type Diagnostic, editGraph, type GraphEditor, type Model } from '@pare/graph'
import { tensorFromFloat32 } from '@pare/tensor'

import { addShift, fittingShift, hasBiasPlace } from '../bias/bias-write.js'
import type { DataSource } from '../layers/data-source.js'
import { type IntegerLayer, integerLayers } from '../layers/integer-layers.js'
import type { QuantizeStaticResult } from '../static/quantize-static.js'
import { removeUnused } from '../writing/written-constants.js'
import { descend } from './adaround-descent.js'
import { openRoundingOptimizer, type RoundingOptimizer } from './adaround-optimize.js'
import {
  centered,
  gather,
  gridOf,
  layerError,
  meanLoss,
  problemOf,
  scatter,
} from './adaround-problem.js'
import { collectLayerGrams, type LayerGram } from './layer-grams.js'
import { type WeightBlocks, weightBlocks } from './weight-blocks.js'

export interface AdaRoundOptions {
  /** The float model that was quantized. */
  readonly model: Model
  readonly quantized: QuantizeStaticResult
  readonly source: DataSource
  /** Samples whose inputs the layers are fitted to. Default 512. */
  readonly samples?: number
  /** Steps of the optimization per layer, at most. Default 600. */
  readonly iterations?: number
  /** λ, the weight of what pushes roundings to a decision. Default 0.5. */
  readonly regularization?: number
  /** Layers to round, by `LayerReport.output`. Default: all. */
  readonly layers?: readonly string[]
  readonly onProgress?: (progress: AdaRoundProgress) => void
  readonly signal?: AbortSignal
}

/** First the samples are counted, then the layers. */
export interface AdaRoundProgress {
  readonly samples: number
  readonly layers: number
  readonly ofLayers: number
}

/** What was done to one layer. Plain JSON. */
export interface AdaRoundReport {
  /** `LayerReport.output`. */
  readonly output: string
  readonly node: string
  /** Mean squared error of the layer's outputs that rounding to nearest causes. */
  readonly mseBefore: number
  readonly mseAfter: number
  /** Weights that are not rounded to nearest any more. */
  readonly flipped: number
}

export interface AdaRoundResult {
  /** A float model to quantize with the same statistics: it gets just the integers chosen. */
  readonly model: Model
  readonly rounded: readonly AdaRoundReport[]
  readonly diagnostics: readonly Diagnostic[]
}

const DEFAULTS = { samples: 512, iterations: 600, regularization: 0.5 } as const
/** Columns whose products are all looked at. More are cut into blocks, and products between blocks left out. */
const MAX_COLUMNS = 576
/** Gram matrices that are held at a time. */
const MAX_GRAM_BYTES = 256 * 2 ** 20

/** Layers that share their integers are rounded as one. */
interface SharedLayer {
  readonly members: readonly IntegerLayer[]
  readonly blocks: WeightBlocks
}

/**
 * Chooses the integers of the layers that `quantized` computes in integers. No layer gets worse: where
 * the result does not beat rounding to nearest, that stays. Throws `quantization_statistics_missing`
 * when there is no sample, and what the runtime throws.
 */
export async function adaRound(options: AdaRoundOptions): Promise<AdaRoundResult> {
  const { model, source } = options
  const { shared, diagnostics } = findLayers(options)
  if (shared.length === 0) return { model, rounded: [], diagnostics }
  // On the CPU wherever the data is looked at: many small steps.
  const { runtime, threads = 1 } = source
  const optimizer = await openRoundingOptimizer({ runtime, threads })
  const editor = editGraph(model)
  const rounded: AdaRoundReport[] = []
  let done = 0
  try {
    for (const part of withinBudget(shared)) {
      const grams = await gramsOf(part, options, { done, all: shared.length })
      for (const [i, layer] of part.entries()) {
        const reports = await roundLayer(layer, grams[i]!, { editor, optimizer, options })
        if (reports === undefined) diagnostics.push(...layer.members.map(withoutChoice))
        else rounded.push(...reports)
        options.onProgress?.({ samples: 0, layers: ++done, ofLayers: shared.length })
      }
    }
  } finally {
    await optimizer.release()
  }
  if (rounded.every(({ flipped }) => flipped === 0)) return { model, rounded, diagnostics }
  removeUnused(editor)
  return { model: editor.finish(), rounded, diagnostics }
}

function findLayers({ model, quantized, layers }: AdaRoundOptions) {
  const byWeight = new Map<string, IntegerLayer[]>()
  const diagnostics: Diagnostic[] = []
  for (const layer of integerLayers(model, quantized)) {
    if (layers !== undefined && !layers.includes(layer.report.output)) continue
    const { type, granularity } = layer.weightReport
    if (type !== 'int8' || granularity === 'blocked') {
      diagnostics.push(staysNearest(layer, `it is ${type}, ${granularity}; int8 is supported`))
      continue
    }
    const key = [layer.weightReport.name, layer.float.axis, layer.float.groups].join(' ')
    const known = byWeight.get(key)
    if (known === undefined) byWeight.set(key, [layer])
    else known.push(layer)
  }
  const shared: SharedLayer[] = []
  for (const members of byWeight.values()) {
    const blocks = weightBlocks(members[0]!.float, MAX_COLUMNS)
    if (blocks === undefined) diagnostics.push(...members.map(tooManyColumns))
    else shared.push({ members, blocks })
  }
  return { shared, diagnostics }
}

function tooManyColumns(layer: IntegerLayer): Diagnostic {
  const { reductionSize } = layer.float
  return staysNearest(
    layer,
    `${reductionSize} columns cannot be cut into blocks of at most ${MAX_COLUMNS}`,
  )
}

function withoutChoice(layer: IntegerLayer): Diagnostic {
  return staysNearest(layer, 'its inputs do not vary, or none of its weights may change')
}

function staysNearest({ report }: IntegerLayer, reason: string): Diagnostic {
  return {
    severity: 'info',
    code: 'rounding_not_optimized',
    message: `the weights of ${report.opType} ${report.node} stay rounded to nearest: ${reason}`,
    node: report.node,
    opType: report.opType,
  }
}

function* withinBudget(layers: readonly SharedLayer[]): Generator<readonly SharedLayer[]> {
  let part: SharedLayer[] = []
  let bytes = 0
  for (const layer of layers) {
    const { blocks, columns } = layer.blocks
    const size = 8 * blocks * columns * columns * layer.members.length
    if (part.length > 0 && bytes + size > MAX_GRAM_BYTES) {
      yield part
      part = []
      bytes = 0
    }
    part.push(layer)
    bytes += size
  }
  if (part.length > 0) yield part
}

/** The moments of each layer, those of its members added up. */
async function gramsOf(
  layers: readonly SharedLayer[],
  { model, source, samples = DEFAULTS.samples, onProgress, signal }: AdaRoundOptions,
  { done, all }: { readonly done: number; readonly all: number },
): Promise<readonly LayerGram[]> {
  const requests = layers.flatMap(({ members, blocks }) =>
    members.map(({ float }) => ({ layer: float, blocks })),
  )
  const onSamples = (seen: number) => onProgress?.({ samples: seen, layers: done, ofLayers: all })
  const grams = await collectLayerGrams({ model, requests, source, samples, onSamples, signal })
  let at = 0
  return layers.map(({ members }) => grams.slice(at, (at += members.length)).reduce(sumOf))
}

function sumOf(a: LayerGram, b: LayerGram): LayerGram {
  return {
    rows: a.rows + b.rows,
    gram: a.gram.map((x, i) => x + b.gram[i]!),
    sums: a.sums.map((x, i) => x + b.sums[i]!),
  }
}

interface RoundContext {
  readonly editor: GraphEditor
  readonly optimizer: RoundingOptimizer
  readonly options: AdaRoundOptions
}

/** Undefined where there is nothing to choose. */
async function roundLayer(
  { members, blocks }: SharedLayer,
  gram: LayerGram,
  { editor, optimizer, options }: RoundContext,
): Promise<readonly AdaRoundReport[] | undefined> {
  const first = members[0]!
  const grid = gridOf(first)
  // Where the bias gives the mean back, only what varies is to be kept small.
  const takesMean = members.length === 1 && hasBiasPlace(first)
  const moments = problemOf(blocks, grid, takesMean ? centered(gram, blocks) : gram)
  if (moments === undefined) return undefined
  const { problem } = moments
  const { iterations = DEFAULTS.iterations, regularization = DEFAULTS.regularization } = options
  const { signal } = options
  const upper = await optimizer.optimize(problem, { iterations, regularization, signal })
  descend(problem, upper)
  const nearest = Uint8Array.from(gather(blocks, (index) => grid.nearest[index]!))
  const errorOf = layerError(first, blocks, moments)
  const whole = takesMean ? problemOf(blocks, grid, gram)! : moments
  const mseBefore = layerError(first, blocks, whole)(nearest)
  const mseAfter = errorOf(upper)
  const flipped = upper.reduce((count, up, i) => count + (up === nearest[i] ? 0 : 1), 0)
  const isBetter = mseAfter < errorOf(nearest)
  if (isBetter) {
    writeWeights(editor, members, grid.write(scatter(blocks, upper)))
    if (takesMean) {
      const loss = meanLoss(first, blocks, { gram, target: problem.target, upper })
      addShift(editor, { layer: first, values: fittingShift(first, loss) })
    }
  }
  return members.map(({ report: { output, node } }) =>
    isBetter
      ? { output, node, mseBefore, mseAfter, flipped }
      : { output, node, mseBefore, mseAfter: mseBefore, flipped: 0 },
  )
}

function writeWeights(
  editor: GraphEditor,
  members: readonly IntegerLayer[],
  values: Float32Array,
): void {
  const { weight, weightName } = members[0]!.float
  const name = editor.addInitializer(weightName, tensorFromFloat32(weight.dims, values))
  for (const { float } of members) {
    const attributes = new Map(editor.setInput(float.node, 1, name).attributes)
    // It is in the weight now.
    if (attributes.delete('alpha')) editor.updateNode(float.node, { attributes })
  }
}
