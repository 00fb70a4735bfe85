// AWQ (Lin et al. 2023, "Activation-aware Weight Quantization"): columns of a weight that meet large
// inputs are made larger before rounding, and their inputs smaller by as much:
//   y = (x / s)·(s·W),   s = mean|x|^α / prominence^β normalized,
// with α from a grid and β either 0 or 1 − α, by the error at the output of round to nearest. The best
// is taken where it still errs less after all that `quantizeForOutput` does, with it and without
// it, in every layer that reads the input: much of what scaling gains clipping gains too.
// The error is exact for the calibration data: ‖X·ΔWᵀ‖² = Σ Δw·(XᵀX)·Δwᵀ, so no data is run again.
import {
  type Diagnostic,
  editGraph,
  type GraphEditor,
  indexGraph,
  type Model,
  type Node,
  nodeLabel,
} from '@pare/graph'
import { type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

import { dequantize, type GridSpec, rangeOf, type WeightMatrix } from './block-grid.js'
import { note } from './decision.js'
import { outputError, sampledRows } from './error.js'
import type { WeightLayer } from './find-layers.js'
import { foldDivision } from './fold-scale.js'
import { type GramStatistics, type InputGram, scaleGram } from './gram-statistics.js'
import { quantizeForOutput } from './quantize-for-output.js'
import { quantizeRtn } from './rtn.js'
import { weightMatrix } from './weight-matrix.js'

export interface AwqInput {
  readonly layers: readonly WeightLayer[]
  readonly grams: GramStatistics
  readonly specOf: (layer: WeightLayer) => GridSpec
  readonly load: (tensor: Tensor) => Promise<Tensor>
  readonly alphaSteps: number
  readonly insertMul: boolean
}

export interface AwqResult {
  /** Computes what the model computed, with scaled weights. */
  readonly model: Model
  /** Of the inputs as they now are. */
  readonly grams: GramStatistics
  readonly diagnostics: readonly Diagnostic[]
}

/** Scales weights and inputs; quantizing the weights is left to `quantizeForOutput`. */
export async function scaleForAwq(model: Model, awq: AwqInput): Promise<AwqResult> {
  const editor = editGraph(model)
  const index = indexGraph(model.graph)
  const inputs = new Map(awq.grams.inputs)
  const diagnostics: Diagnostic[] = []
  for (const [value, layers] of byInput(awq.layers)) {
    const gram = inputs.get(value)
    if (gram === undefined) continue
    const first = layers[0]!.node
    if (layers.some((layer) => isReadElsewhere(layer, layers, index))) {
      diagnostics.push(note(first, 'awq_weight_shared', 'its weight is read with other inputs too'))
      continue
    }
    const group = await loadGroup(layers, { editor, awq })
    const scales = bestScales(group, gram, awq.alphaSteps)
    if (scales === undefined) continue
    const nodes = layers.map(({ node }) => node)
    const fold = foldDivision(editor, value, scales, nodes)
    const least = fold === undefined ? LEAST_GAIN_OF_MUL : 0
    if (!paysOff(group, gram, { scales, least })) continue
    if (fold === undefined && !awq.insertMul) {
      diagnostics.push(note(first, 'awq_not_folded', `${value} could only be scaled by a new Mul`))
      continue
    }
    fold?.()
    const scaled = fold === undefined ? insertScale(editor, value, { scales, layers }) : value
    writeScaled(editor, group, scales)
    inputs.set(scaled, scaleGram(gram, scales))
    if (fold === undefined) {
      diagnostics.push(
        note(first, 'awq_mul_inserted', `a Mul now scales ${value} for ${names(nodes)}`),
      )
    }
  }
  editor.removeUnusedInitializers()
  return { model: editor.finish(), grams: { ...awq.grams, inputs }, diagnostics }
}

function names(nodes: readonly Node[]): string {
  return nodes.map(nodeLabel).join(', ')
}

function byInput(layers: readonly WeightLayer[]): ReadonlyMap<string, readonly WeightLayer[]> {
  const groups = new Map<string, WeightLayer[]>()
  for (const layer of layers) {
    if (layer.layout !== 'kn' && layer.layout !== 'nk') continue
    const known = groups.get(layer.input)
    if (known === undefined) groups.set(layer.input, [layer])
    else known.push(layer)
  }
  return groups
}

function isReadElsewhere(
  { weightName }: WeightLayer,
  group: readonly WeightLayer[],
  index: ReturnType<typeof indexGraph>,
): boolean {
  const nodes = new Set(group.map(({ node }) => node))
  const isOutput = index.isGraphOutput(weightName)
  return isOutput || index.consumers(weightName).some((node) => !nodes.has(node))
}

interface GroupMember {
  readonly layer: WeightLayer
  /** The weight as it is now: an earlier group may have scaled its output columns. */
  readonly tensor: Tensor
  readonly matrix: WeightMatrix
  readonly spec: GridSpec
}

async function loadGroup(
  layers: readonly WeightLayer[],
  { editor, awq }: { readonly editor: GraphEditor; readonly awq: AwqInput },
): Promise<readonly GroupMember[]> {
  const group: GroupMember[] = []
  for (const layer of layers) {
    const name = editor.current(layer.node)!.inputs[1]!
    const tensor = await awq.load(editor.constant(name)!)
    const matrix = sampled(weightMatrix(layer, tensor))
    group.push({ layer, tensor, matrix, spec: awq.specOf(layer) })
  }
  return group
}

function sampled(matrix: WeightMatrix): WeightMatrix {
  const rows = sampledRows(matrix)
  const { columns } = matrix
  const values = new Float32Array(rows.length * columns)
  for (const [i, row] of rows.entries()) {
    values.set(matrix.values.subarray(row * columns, (row + 1) * columns), i * columns)
  }
  return { rows: rows.length, columns, values }
}

/** Of the error, where scaling takes a Mul in each run. */
const LEAST_GAIN_OF_MUL = 0.05

/** Whether scaling makes the error smaller by this share, and no layer's greater, when all is done. */
function paysOff(
  group: readonly GroupMember[],
  gram: InputGram,
  { scales, least }: { readonly scales: Float32Array; readonly least: number },
): boolean {
  const scaledGram = scaleGram(gram, scales).gram
  const errors = group.map(({ matrix, spec }) => {
    const scaled = timesColumns(matrix, scales, 1)
    return {
      before: quantizeForOutput(matrix, spec, gram.gram).error,
      after: quantizeForOutput(scaled, spec, scaledGram).error,
    }
  })
  const shares = errors.map(({ before, after }) => (before === 0 ? 1 : after / before))
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
  return mean < 1 - least && shares.every((share) => share <= 1)
}

/** Undefined: no scaling is best. */
function bestScales(
  group: readonly GroupMember[],
  gram: InputGram,
  steps: number,
): Float32Array | undefined {
  const prominence = meanProminence(group)
  let best: Float32Array | undefined
  let bestError = groupError(group, gram, undefined)
  for (let step = 1; step <= steps; step++) {
    const alpha = step / steps
    for (const beta of [0, 1 - alpha]) {
      const scales = scalesFor(gram, prominence, { alpha, beta })
      const error = groupError(group, gram, scales)
      if (error >= bestError) continue
      best = scales
      bestError = error
    }
  }
  return best
}

/** Per column, how large its weights are on average, relative to the greatest of their block. */
function meanProminence(group: readonly GroupMember[]): Float64Array {
  const columns = group[0]!.matrix.columns
  const sums = new Float64Array(columns)
  for (const { matrix, spec } of group) {
    for (let row = 0; row < matrix.rows; row++) {
      for (let start = 0; start < columns; start += spec.blockSize) {
        const at = row * columns + start
        const end = Math.min(at + spec.blockSize, (row + 1) * columns)
        const [low, high] = rangeOf(matrix.values, at, end)
        const largest = Math.max(-low, high)
        if (largest === 0) continue
        for (let i = at; i < end; i++) {
          sums[i - row * columns]! += Math.abs(matrix.values[i]!) / largest
        }
      }
    }
  }
  const rows = group.reduce((sum, { matrix }) => sum + matrix.rows, 0)
  return sums.map((sum) => sum / rows)
}

/**
 * mean|x|^α / prominence^β, so that the smallest and the greatest lie around 1. An input that is
 * always 0 keeps 1.
 */
function scalesFor(
  { magnitude, rows }: InputGram,
  prominence: Float64Array,
  { alpha, beta }: { readonly alpha: number; readonly beta: number },
): Float32Array {
  const raw = Float32Array.from(
    magnitude,
    (sum, i) => (sum / rows) ** alpha / Math.max(prominence[i]!, 1e-4) ** beta,
  )
  const used = raw.filter((_, i) => magnitude[i]! > 0)
  const low = used.reduce((min, scale) => Math.min(min, scale), Infinity)
  const high = used.reduce((max, scale) => Math.max(max, scale), 0)
  const middle = Math.sqrt(low * high)
  return raw.map((scale, i) => (magnitude[i]! > 0 ? Math.max(scale / middle, 1e-4) : 1))
}

function groupError(
  group: readonly GroupMember[],
  { gram }: InputGram,
  scales: Float32Array | undefined,
): number {
  let error = 0
  for (const { matrix, spec } of group) {
    const scaled = scales === undefined ? matrix : timesColumns(matrix, scales, 1)
    const rounded = dequantize(quantizeRtn(scaled, spec))
    const back = scales === undefined ? rounded : timesColumns(rounded, scales, -1)
    error += outputError(matrix, back, gram).error
  }
  return error
}

function timesColumns(
  { rows, columns, values }: WeightMatrix,
  scales: Float32Array,
  power: 1 | -1,
): WeightMatrix {
  const scaled = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const scale = scales[column]!
      const value = values[row * columns + column]!
      scaled[row * columns + column] = power === 1 ? value * scale : value / scale
    }
  }
  return { rows, columns, values: scaled }
}

function insertScale(
  editor: GraphEditor,
  value: string,
  { scales, layers }: { readonly scales: Float32Array; readonly layers: readonly WeightLayer[] },
): string {
  const inverse = tensorFromFloats(
    layers[0]!.weight.dataType,
    [scales.length],
    scales.map((scale) => 1 / scale),
  )
  const [scaled = ''] = editor.insertBefore(editor.current(layers[0]!.node)!, {
    opType: 'Mul',
    inputs: [value, editor.addInitializer('awq', inverse)],
  }).outputs
  for (const { node } of layers) editor.setInput(node, 0, scaled)
  return scaled
}

function writeScaled(
  editor: GraphEditor,
  group: readonly GroupMember[],
  scales: Float32Array,
): void {
  const written = new Map<string, string>()
  for (const { layer, tensor } of group) {
    const key = `${layer.layout} ${layer.weightName}`
    const name =
      written.get(key) ??
      editor.addInitializer(layer.weightName, scaledTensor(layer, tensor, scales))
    written.set(key, name)
    editor.setInput(layer.node, 1, name)
  }
}

function scaledTensor(
  { rows, columns, layout }: WeightLayer,
  tensor: Tensor,
  scales: Float32Array,
): Tensor {
  const columnOf =
    layout === 'kn' ? (i: number) => Math.floor(i / rows) : (i: number) => i % columns
  const values = toFloat32(tensor).map((x, i) => x * scales[columnOf(i)]!)
  return tensorFromFloats(tensor.dataType, tensor.dims, values)
}
