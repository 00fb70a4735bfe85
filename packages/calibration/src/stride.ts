// Which values of a tensor are counted: every k-th of all data, counted through from the first sample.

/**
 * Values per tensor that a distribution is counted from, unless it has fewer. A share p of the values
 * is then known to ±√(p / 2^19): 1e-4, what percentile cuts off by default, to a seventh of itself,
 * which moves the range of normal values by 1 %.
 */
export const COUNTED_VALUES = 2 ** 19

/**
 * The distance of the values that are counted: `atLeast`, or 1 where that is less. It shares no factor
 * with the elements of a sample, so that the place within a sample moves on from one to the next: in
 * any k samples each place is counted once, whatever channels, rows and columns the tensor has.
 */
export function strideOf(perSample: number, atLeast: number): number {
  let stride = Math.ceil(atLeast)
  if (!(stride > 1)) return 1
  while (greatestCommonDivisor(stride, perSample) !== 1) stride++
  return stride
}

/** Of the values of the samples from `samplesBefore` on, the first one that is counted. */
export function phaseOf(perSample: number, samplesBefore: number, stride: number): number {
  const passed = ((samplesBefore % stride) * (perSample % stride)) % stride
  return (stride - passed) % stride
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
