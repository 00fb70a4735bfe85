// Estimating a mean per channel from batches, and how far chance may explain it.

/** A batch's result per channel, and how many samples it stands for. */
export interface ChannelMean {
  readonly samples: number
  readonly values: Float64Array
}

/** Fewer batches do not show how much they scatter. */
const MIN_BATCHES = 4

/**
 * The mean over all samples, made smaller where the batches scatter:
 *   m' = m · max(0, 1 − se² / m²)
 * with se the standard error of the mean as the batches show it (the positive-part James–Stein
 * estimator). A mean that stands clear of its scatter stays as it is, one that chance explains
 * becomes 0. With fewer than 4 batches it is the plain mean.
 */
export function settledMean(batches: readonly ChannelMean[]): Float64Array {
  const total = batches.reduce((sum, { samples }) => sum + samples, 0)
  const mean = new Float64Array(batches[0]?.values.length ?? 0)
  for (const { samples, values } of batches) {
    for (let c = 0; c < mean.length; c++) mean[c]! += (values[c]! * samples) / total
  }
  if (batches.length < MIN_BATCHES) return mean
  const correction = batches.length / (batches.length - 1)
  return mean.map((m, channel) => {
    let squaredError = 0
    for (const { samples, values } of batches) {
      squaredError += ((samples / total) * (values[channel]! - m)) ** 2 * correction
    }
    return m === 0 ? 0 : m * Math.max(0, 1 - squaredError / (m * m))
  })
}
