// How many weights of each layer fall so that the network loses least: LAMP (Lee et al. 2021,
// "Layer-Adaptive Sparsity for the Magnitude-based Pruning"). A weight's score is the part of its layer
// that it would take along of what is left at least as large,
//   score(w) = w² / Σ w'² over the layer's weights with |w'| ≥ |w|,
// and over all layers the lowest scores fall. The greatest weight of each layer scores 1, so no layer is
// emptied before all others are. Within a layer the order is that of magnitudes. Weights whose
// magnitudes agree in sign, exponent and eight bits of the fraction (to 0.4 %) share a score, so that
// one walk over the weights is enough.
import { isFiniteBits, magnitudeOf } from './select-smallest.js'

/** Bits of a magnitude that are not looked at. */
const DROPPED_BITS = 15

/** Weights of one layer that are about alike. */
interface Bin {
  readonly layer: number
  readonly count: number
  readonly score: number
}

/**
 * How many of the smallest weights of each layer fall, `count` in all; fewer only where there are not
 * as many finite ones. `layers` gives the weights as `bitsOfFloats`.
 */
export function spreadAdaptively(layers: Iterable<Uint32Array>, count: number): readonly number[] {
  const bins: Bin[] = []
  const falling: number[] = []
  for (const bits of layers) {
    for (const bin of binsOf(bits, falling.length)) bins.push(bin)
    falling.push(0)
  }
  // Stable: layers in the order of the model, bins of a layer with rising magnitude.
  bins.sort((a, b) => a.score - b.score)
  let left = count
  for (const bin of bins) {
    if (left <= 0) break
    const fall = Math.min(bin.count, left)
    falling[bin.layer]! += fall
    left -= fall
  }
  return falling
}

function binsOf(bits: Uint32Array, layer: number): readonly Bin[] {
  const counts = new Float64Array(2 ** 16)
  const squares = new Float64Array(2 ** 16)
  const values = new Float32Array(bits.buffer, bits.byteOffset, bits.length)
  for (let i = 0; i < bits.length; i++) {
    if (!isFiniteBits(bits[i]!)) continue
    const at = magnitudeOf(bits[i]!) >>> DROPPED_BITS
    counts[at]!++
    squares[at]! += values[i]! * values[i]!
  }
  const bins: Bin[] = []
  let atLeast = 0
  for (let at = counts.length - 1; at >= 0; at--) {
    const [n, square] = [counts[at]!, squares[at]!]
    if (n === 0) continue
    atLeast += square
    bins.push({ layer, count: n, score: square === 0 ? 0 : square / n / atLeast })
  }
  return bins.reverse()
}
