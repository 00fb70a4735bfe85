// The problem that a layer's roundings are: its grid, and the moments of its inputs, by blocks.
import { toFloat32 } from '@pare/tensor'

import { channelLayout } from '../integers/channel-layout.js'
import type { IntegerLayer } from '../layers/integer-layers.js'
import { roundingError } from './adaround-descent.js'
import { type RoundingGrid, roundingGrid } from './adaround-grid.js'
import type { RoundingProblem } from './adaround-optimize.js'
import type { LayerGram } from './layer-grams.js'
import type { WeightBlocks } from './weight-blocks.js'

export interface Moments {
  readonly problem: RoundingProblem
  /** What 1 is in the problem's Gram matrices, per block. */
  readonly units: Float64Array
}

/** Undefined where the layer's inputs never change, or none of its weights is free. */
export function problemOf(
  blocks: WeightBlocks,
  grid: RoundingGrid,
  { gram, rows }: LayerGram,
): Moments | undefined {
  const { columns } = blocks
  const size = columns * columns
  const units = Float64Array.from({ length: blocks.blocks }, (_, block) => {
    let trace = 0
    for (let i = 0; i < columns; i++) trace += gram[block * size + i * columns + i]!
    return trace / columns / rows
  })
  if (!units.some((unit) => unit > 0) || !grid.free.includes(1)) return undefined
  const normalized = Float32Array.from(gram, (x, i) => {
    const unit = units[Math.floor(i / size)]!
    return unit > 0 ? x / rows / unit : 0
  })
  const target = Float32Array.from(gather(blocks, (index) => grid.target[index]!))
  const settled = Int8Array.from(
    gather(blocks, (index) => (grid.free[index] === 1 ? -1 : grid.nearest[index]!)),
  )
  return {
    problem: { ...blocks, gram: normalized, target, settled },
    units,
  }
}

export function gridOf({ float, integers, weightReport }: IntegerLayer): RoundingGrid {
  const { weight, weightFactor, axis } = float
  const stored = toFloat32(weight)
  return roundingGrid({
    values: weightFactor === 1 ? stored : stored.map((value) => value * weightFactor),
    data: integers.data as Int8Array,
    scales: integers.scales,
    layout: channelLayout(weight.dims, integers.scales.length > 1 ? axis : undefined),
    range: weightReport.range,
  })
}

/** Mean squared error of the layer's outputs, as a function of the roundings. */
export function layerError(
  { integers, float }: IntegerLayer,
  blocks: WeightBlocks,
  { problem, units }: Moments,
): (upper: Uint8Array) => number {
  const { scales } = integers
  const weightOf = (block: number, row: number) => {
    const scale = scales[scales.length === 1 ? 0 : blocks.channelOf(block, row)]!
    return (scale ** 2 * units[block]!) / float.channels
  }
  return (upper) => roundingError(problem, upper, weightOf)
}

/** The moments about the mean: XᵀX − n·x̄ᵀx̄. */
export function centered({ gram, sums, rows }: LayerGram, { columns }: WeightBlocks): LayerGram {
  const size = columns * columns
  const centeredGram = gram.map((x, i) => {
    const start = Math.floor(i / size) * columns
    const [row, column] = [Math.floor((i % size) / columns), i % columns]
    return x - (sums[start + row]! * sums[start + column]!) / rows
  })
  return { rows, sums, gram: centeredGram }
}

/** What rounding takes from the mean of each output channel, W·x̄ − Ŵ·x̄: the bias gives it back. */
export function meanLoss(
  { float, integers }: IntegerLayer,
  { blocks, rows, columns, channelOf }: WeightBlocks,
  {
    gram,
    target,
    upper,
  }: { readonly gram: LayerGram; readonly target: Float32Array; readonly upper: Uint8Array },
): Float64Array {
  const { scales } = integers
  const loss = new Float64Array(float.channels)
  let at = 0
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < rows; row++) {
      const channel = channelOf(block, row)
      const scale = scales[scales.length === 1 ? 0 : channel]!
      for (let column = 0; column < columns; column++, at++) {
        const mean = gram.sums[block * columns + column]! / gram.rows
        loss[channel]! += scale * (target[at]! - upper[at]!) * mean
      }
    }
  }
  return loss
}

/** Values by block, row and column, from a function of the place in the weight. */
export function gather(
  { blocks, rows, columns, indexOf }: WeightBlocks,
  valueOf: (index: number) => number,
): Float64Array {
  const values = new Float64Array(blocks * rows * columns)
  let at = 0
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        values[at++] = valueOf(indexOf(block, row, column))
      }
    }
  }
  return values
}

/** The other way round. */
export function scatter(
  { blocks, rows, columns, indexOf }: WeightBlocks,
  upper: Uint8Array,
): Uint8Array {
  const placed = new Uint8Array(upper.length)
  let at = 0
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        placed[indexOf(block, row, column)] = upper[at++]!
      }
    }
  }
  return placed
}
