// A layer's weight as blocks [B, R, k]: R rows of outputs over k columns of inputs, in B parts that
// see different inputs. Groups of a convolution are such parts; a layer of very many columns is cut
// into more of them, each with some of the input channels.
import type { WeightedLayer } from '../layers/layer-weight.js'

export interface WeightBlocks {
  readonly blocks: number
  readonly rows: number
  readonly columns: number
  /** Index of the element in the weight as it is stored. */
  readonly indexOf: (block: number, row: number, column: number) => number
  /** Output channel of a row. */
  readonly channelOf: (block: number, row: number) => number
}

/** Undefined where no cut leaves at most `maxColumns` columns. */
export function weightBlocks(layer: WeightedLayer, maxColumns: number): WeightBlocks | undefined {
  return layer.node.opType === 'Conv'
    ? convBlocks(layer, maxColumns)
    : matrixBlocks(layer, maxColumns)
}

function convBlocks({ weight, groups }: WeightedLayer, max: number): WeightBlocks | undefined {
  const [channels = 1, inputs = 1, ...kernel] = weight.dims
  const taps = kernel.reduce((product, size) => product * size, 1)
  const cuts = cutsOf(inputs, taps, max)
  if (cuts === undefined) return undefined
  const rows = channels / groups
  const columns = (inputs / cuts) * taps
  const channelOf = (block: number, row: number) => Math.floor(block / cuts) * rows + row
  return {
    blocks: groups * cuts,
    rows,
    columns,
    channelOf,
    indexOf: (block, row, column) =>
      (channelOf(block, row) * cuts + (block % cuts)) * columns + column,
  }
}

function matrixBlocks(layer: WeightedLayer, max: number): WeightBlocks | undefined {
  const { inputs, channels: rows } = layer
  const isTransposed = layer.axis < layer.inputAxis
  const blocks = cutsOf(inputs, 1, max)
  if (blocks === undefined) return undefined
  const columns = inputs / blocks
  return {
    blocks,
    rows,
    columns,
    channelOf: (_block, row) => row,
    indexOf: (block, row, column) =>
      isTransposed
        ? row * inputs + block * columns + column
        : (block * columns + column) * rows + row,
  }
}

/** The fewest equal parts of the input channels that have at most `max` columns each. */
function cutsOf(inputs: number, taps: number, max: number): number | undefined {
  for (let cuts = 1; cuts <= inputs; cuts++) {
    if (inputs % cuts === 0 && (inputs / cuts) * taps <= max) return cuts
  }
  return undefined
}
