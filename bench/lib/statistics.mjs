// What the scores of two models on the same samples say about which is better.
import { mcnemarExact, pairedDifferenceInterval } from '../../packages/evaluation/dist/index.js'

const RESAMPLES = 2000

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

/**
 * The difference of the mean scores, first less second, with its 95 % interval: exact counts where
 * scores are right or wrong, else a bootstrap over samples (Efron 1979; percentiles, seeded).
 */
export function pairedDifference(first, second) {
  const difference = mean(first) - mean(second)
  if (first.every(isBinary) && second.every(isBinary)) {
    const only = (a, b) => a.reduce((count, value, i) => count + (value > b[i] ? 1 : 0), 0)
    const [b, c] = [only(first, second), only(second, first)]
    const { low, high } = pairedDifferenceInterval(b, c, first.length)
    return { difference, low, high, p: mcnemarExact(b, c) }
  }
  const differences = first.map((value, i) => value - second[i])
  const random = createRandom(1)
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0
    for (let i = 0; i < differences.length; i++) {
      sum += differences[Math.floor(random() * differences.length)]
    }
    return sum / differences.length
  }).sort((a, b) => a - b)
  return { difference, low: means[RESAMPLES * 0.025], high: means[RESAMPLES * 0.975 - 1] }
}

const isBinary = (score) => score === 0 || score === 1

/** mulberry32: small, seeded, the same everywhere. */
export function createRandom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
