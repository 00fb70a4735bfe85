// Ranges of a weight per input or output channel, under factors that change from sweep to sweep: what
// equalization spends its time on.
import type { LayerForm } from '@pare/ops'

import { type ChannelLayer, magnitudes } from './channel-layers.js'

export type Side = 'input' | 'output'

/** Ranges of one side, and the factors of the other side that they were found with. */
interface Known {
  readonly factors: Float64Array
  readonly ranges: Float64Array
}

/** Computes ranges again only where the factors have changed. */
export class LayerRanges {
  private readonly layer: ChannelLayer
  private magnitudes: Float32Array | undefined
  private readonly known: Partial<Record<Side, Known>> = {}

  constructor(layer: ChannelLayer) {
    this.layer = layer
  }

  /**
   * Greatest magnitude of the weight in each channel of a side, each weight times the factor of its
   * channel on the other side. Overwritten by the next call for the same side.
   */
  of(side: Side, factors: Float64Array): Float64Array {
    const { form, inputs, outputs } = this.layer
    const known = this.known[side]
    if (known !== undefined && areEqual(known.factors, factors)) return known.ranges
    const ranges = known?.ranges ?? new Float64Array(side === 'input' ? inputs : outputs)
    this.known[side] = { factors, ranges }
    this.magnitudes ??= magnitudes(this.layer)
    if (form.rows === side) writeRowRanges(ranges, this.magnitudes, { form, factors })
    else writeColumnRanges(ranges, this.magnitudes, { form, factors })
    return ranges
  }
}

function areEqual(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

interface Factors {
  readonly form: LayerForm
  /** Of the rows for ranges of columns, of the columns for ranges of rows. */
  readonly factors: Float64Array
}

function writeRowRanges(
  ranges: Float64Array,
  weights: Float32Array,
  { form: { first, second, rowsPerGroup }, factors }: Factors,
): void {
  let at = 0
  for (let i = 0; i < first; i++) {
    const column = Math.floor(i / rowsPerGroup) * second
    let most = 0
    for (let j = 0; j < second; j++, at++) {
      const range = weights[at]! * factors[column + j]!
      if (range > most) most = range
    }
    ranges[i] = most
  }
}

function writeColumnRanges(
  ranges: Float64Array,
  weights: Float32Array,
  { form: { first, second, rowsPerGroup }, factors }: Factors,
): void {
  ranges.fill(0)
  let at = 0
  for (let i = 0; i < first; i++) {
    const column = Math.floor(i / rowsPerGroup) * second
    const factor = factors[i]!
    for (let j = 0; j < second; j++, at++) {
      const range = weights[at]! * factor
      if (range > ranges[column + j]!) ranges[column + j] = range
    }
  }
}
