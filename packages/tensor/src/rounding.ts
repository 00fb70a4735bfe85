/**
 * Rounds to the nearest integer, ties to the even one, as QuantizeLinear and Cast do. Adding and
 * subtracting 1.5 * 2^52 lets the processor round; beyond 2^51 every double is handled as it is.
 */
export function roundHalfToEven(x: number): number {
  if (Math.abs(x) < 2251799813685248) {
    const rounded = x + 6755399441055744 - 6755399441055744
    return rounded === 0 ? x * 0 : rounded
  }
  return Math.abs(x) < 4503599627370496 ? roundLarge(x) : x
}

function roundLarge(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** `x` limited to `[low, high]`; NaN stays NaN. */
export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x
}
