// The bins of a histogram. Each octave [2^e, 2^(e+1)) of magnitudes has BINS_PER_OCTAVE bins of equal
// width; below the OCTAVES octaves under the greatest magnitude lies a floor [0, 2^e₀) of as many.
// Positive and negative values have mirrored bins. All edges are powers of two times integers, so:
// - a bin is found from the bits of a float32;
// - one octave more at the top makes each bin a bin, or half of one: counts merge exactly, and the
//   histogram does not depend on the order in which the values came;
// - whatever range is chosen in the end, it holds 2048 to 4096 bins per side, unless the greatest
//   outlier is more than 2^OCTAVES times as far.

/** Bits of the significand that tell the bins of an octave apart. */
export const BIN_BITS = 11

export const BINS_PER_OCTAVE = 1 << BIN_BITS
const OCTAVES = 11

/** Bins of one sign. */
export const SIDE = BINS_PER_OCTAVE * (OCTAVES + 1)

/** All bins: first those of positive values (and 0), outwards; then those of negative ones. */
export const BINS = 2 * SIDE

/** Tensors with smaller values than 2^-100 are as good as zero. */
const MIN_EXPONENT = -100

/** The octave of the greatest magnitude, which fixes the lattice: `floor(log2(absMax))`. */
export function latticeExponent(absMax: number): number {
  // A float32 has at most 24 bits, so the logarithm cannot be rounded up to the next integer.
  return absMax < 2 ** MIN_EXPONENT ? MIN_EXPONENT : Math.floor(Math.log2(absMax))
}

/** The width of the floor, 2^e₀. Values divided by it are "in units". */
export function latticeUnit(exponent: number): number {
  return 2 ** (exponent - OCTAVES + 1)
}

/**
 * The bin, of its sign, of a magnitude in the octave [2^e, 2^(e+1)) whose leading significand bits are
 * `within`, on the lattice whose greatest octave is `octaves` (≤ 0) octaves up: e − exponent.
 */
export function binOfOctave(octaves: number, within: number): number {
  const aboveFloor = octaves + OCTAVES - 1
  if (aboveFloor >= 0) return (aboveFloor + 1) * BINS_PER_OCTAVE + within
  return aboveFloor < -BIN_BITS ? 0 : (BINS_PER_OCTAVE + within) >> -aboveFloor
}

/** The bin of the lattice some octaves up that holds a bin of this one. */
export function coarserBin(bin: number, octaves: number): number {
  const side = bin < SIDE ? 0 : SIDE
  let i = bin - side
  for (let octave = 0; octave < octaves && i > 0; octave++) {
    i = i < 2 * BINS_PER_OCTAVE ? i >> 1 : i - BINS_PER_OCTAVE
  }
  return side + i
}

/** Lower edge of a bin of positive values, in units; `SIDE` gives the end of the lattice. */
export function unitEdge(bin: number): number {
  if (bin < BINS_PER_OCTAVE) return bin / BINS_PER_OCTAVE
  const octave = (bin >> BIN_BITS) - 1
  return 2 ** octave * (1 + (bin & (BINS_PER_OCTAVE - 1)) / BINS_PER_OCTAVE)
}

/** The bin of a magnitude in units; values beyond the lattice are in the last. */
export function unitBin(magnitude: number): number {
  if (magnitude < 1) return Math.floor(magnitude * BINS_PER_OCTAVE)
  // Exponent and leading bits of the significand count the bins from 2^0 on.
  FLOAT64[0] = magnitude
  const bin = (HALVES[HIGH]! >>> (20 - BIN_BITS)) - (FLOAT64_BIAS << BIN_BITS) + BINS_PER_OCTAVE
  return Math.min(bin, SIDE - 1)
}

const FLOAT64_BIAS = 1023
const FLOAT64 = new Float64Array(1)
const HALVES = new Uint32Array(FLOAT64.buffer)
/** Which half holds sign and exponent, on this processor. */
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0
