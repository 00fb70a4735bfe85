// Cross-entropy in nats per labelled place, and its exponential, the perplexity. Both come from the same
// sums; intervals and the test are those of samples, whose places belong together.
import type { MetricName } from '@pare/recipe'

import type { Interval } from '../statistics.js'
import { type Figure, type Finding, labelsOf, type Metric } from './metric.js'
import {
  finishRatio,
  mergeRatios,
  type PairedRatio,
  type SamplePair,
  sumSamples,
} from './paired-ratio.js'
import { havePlaces, IGNORED, type Places, readPlaces } from './places.js'

export interface CrossEntropy {
  readonly losses: PairedRatio
  readonly ignored: number
  /** Whether all scores of the original so far could be probabilities. */
  readonly looksLikeProbabilities: boolean
}

function metricOf(
  name: MetricName,
  row: Pick<Metric<CrossEntropy>, 'beside'> & { readonly finish: (found: Finding) => Finding },
): Metric<CrossEntropy> {
  return {
    count: (batch) => countLosses(readPlaces(batch, labelsOf(batch, name))),
    merge: (a, b) => ({
      losses: mergeRatios(a.losses, b.losses),
      ignored: a.ignored + b.ignored,
      looksLikeProbabilities: a.looksLikeProbabilities && b.looksLikeProbabilities,
    }),
    finish: ({ losses, ignored, looksLikeProbabilities }) => {
      const found = finishRatio(losses)
      if (found === null) return null
      const details = { ignored_labels: ignored }
      const note = looksLikeProbabilities ? { note: PROBABILITIES } : {}
      return { ...row.finish(found), details, ...note }
    },
    fits: havePlaces,
    beside: row.beside,
  }
}

const PROBABILITIES =
  'the outputs look like probabilities, between 0 and 1 with a sum of 1, and are taken for logits: the figure is that of the softmax of them; judge the output before the softmax'

export const crossEntropy = metricOf('cross_entropy', {
  finish: (found) => found,
  beside: ['perplexity', 'accuracy', 'top1'],
})

/** exp is monotone: the ends of intervals go with it; the drop is exp of the difference, less one. */
export const perplexity = metricOf('perplexity', {
  finish: ({ original, result, difference, ...found }) => ({
    ...found,
    original: exponential(original),
    result: exponential(result),
    difference: null,
    drop: finite(Math.expm1(result.value - original.value)),
    drop_interval: difference && mapEnds(difference, Math.expm1),
  }),
  beside: ['cross_entropy', 'accuracy', 'top1'],
})

function exponential({ value, interval }: Figure): Figure {
  return { value: Math.exp(value), interval: interval && mapEnds(interval, Math.exp) }
}

function mapEnds({ low, high }: Interval, map: (end: number) => number): Interval {
  return { low: map(low), high: map(high) }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

function countLosses(places: Places): CrossEntropy {
  return {
    losses: sumSamples(samplesOf(places)),
    ignored: places.labels.reduce((count, label) => count + (label === IGNORED ? 1 : 0), 0),
    looksLikeProbabilities: places.original.looksLikeProbabilities(),
  }
}

function* samplesOf({ labels, samples, original, result }: Places): Generator<SamplePair> {
  const each = labels.length / samples
  for (let sample = 0; sample < samples; sample++) {
    let [before, after, elements] = [0, 0, 0]
    for (let place = sample * each; place < (sample + 1) * each; place++) {
      if (labels[place] === IGNORED) continue
      elements++
      before += original.losses[place]!
      after += result.losses[place]!
    }
    yield { original: before, result: after, elements }
  }
}
