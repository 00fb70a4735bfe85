// The share of places whose greatest score is that of their class. Places of one sample are alike, so
// intervals and the test are those of samples; where each has one place it is top1.
import { type JudgedBatch, labelsOf, type Metric } from './metric.js'
import {
  finishRatio,
  mergeRatios,
  type PairedRatio,
  type SamplePair,
  sumSamples,
} from './paired-ratio.js'
import { havePlaces, IGNORED, type Places, readPlaces } from './places.js'
import {
  countPairs,
  finishPairs,
  mergePairs,
  type PairedCounts,
  sharesOf,
} from './right-or-wrong.js'

export interface PlaceAccuracy {
  readonly counts: PairedCounts
  readonly bySample: PairedRatio
  readonly ignored: number
}

export const placeAccuracy: Metric<PlaceAccuracy> = {
  count: countPlaces,
  merge: (a, b) => ({
    counts: mergePairs(a.counts, b.counts),
    bySample: mergeRatios(a.bySample, b.bySample),
    ignored: a.ignored + b.ignored,
  }),
  finish: ({ counts, bySample, ignored }) => {
    const details = { ignored_labels: ignored }
    if (bySample.elements === bySample.samples) {
      const found = finishPairs(counts)
      return found && { ...found, details }
    }
    const found = finishRatio(bySample)
    if (found === null) return null
    const { original, result, drop } = sharesOf(counts)
    return {
      ...found,
      original: { ...within01(found.original), ...original },
      result: { ...within01(found.result), ...result },
      drop,
      only_original_right: counts.onlyOriginalRight,
      only_result_right: counts.onlyResultRight,
      details,
    }
  },
  // Of one place per sample it is top1.
  fits: (batch) => havePlaces(batch) && (batch.labels?.data.length ?? 0) > batch.samples,
  beside: ['cross_entropy', 'miou'],
}

function countPlaces(batch: JudgedBatch): PlaceAccuracy {
  const places = readPlaces(batch, labelsOf(batch, 'accuracy'))
  const { labels, original, result } = places
  const counted = labels.reduce<number[]>((kept, label, place) => {
    if (label !== IGNORED) kept.push(place)
    return kept
  }, [])
  return {
    counts: countPairs(counted.length, (index) => {
      const place = counted[index]!
      const label = labels[place]!
      return [original.predicted[place] === label, result.predicted[place] === label]
    }),
    bySample: sumSamples(samplesOf(places)),
    ignored: labels.length - counted.length,
  }
}

function* samplesOf({ labels, samples, original, result }: Places): Generator<SamplePair> {
  const each = labels.length / samples
  for (let sample = 0; sample < samples; sample++) {
    let [rightBefore, rightAfter, elements] = [0, 0, 0]
    for (let place = sample * each; place < (sample + 1) * each; place++) {
      const label = labels[place]!
      if (label === IGNORED) continue
      elements++
      if (original.predicted[place] === label) rightBefore++
      if (result.predicted[place] === label) rightAfter++
    }
    yield { original: rightBefore, result: rightAfter, elements }
  }
}

function within01<Estimated extends { readonly interval: { low: number; high: number } | null }>(
  figure: Estimated,
): Estimated {
  const { interval } = figure
  if (interval === null) return figure
  return {
    ...figure,
    interval: { low: Math.max(0, interval.low), high: Math.min(1, interval.high) },
  }
}
