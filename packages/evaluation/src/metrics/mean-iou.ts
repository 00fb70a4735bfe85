// Mean intersection over union. Over all places of the data, for each class: places that have it both as
// label and as prediction, by places that have it as either. The mean is taken over the classes that
// the labels have, so that it is the same for both models; a class that is only ever predicted costs
// those whose places it took.
//
// The error comes from samples: one sample changes the mean by φ = 1/K · Σ (I_s − IoU · U_s) / U over
// classes (the delta method), and var = n / (n − 1) · Σ φ². So every sample's counts are kept, of the
// classes that it has.
import { estimate, studentTest } from '../statistics.js'
import { type Finding, labelsOf, type Metric } from './metric.js'
import { join, type Pieces, piecesOf } from './pieces.js'
import { havePlaces, IGNORED, type Places, readPlaces } from './places.js'

export interface MeanIoU {
  readonly samples: number
  readonly ignored: number
  /** Rows of `ROW` numbers, the classes of one sample after each other. */
  readonly rows: Pieces
}

/** Starts a sample (1 or 0), class, labels, then of each model: predictions and intersection. */
const ROW = 7

export const meanIoU: Metric<MeanIoU> = {
  count: (batch) => countClasses(readPlaces(batch, labelsOf(batch, 'miou'))),
  merge: (a, b) => ({
    samples: a.samples + b.samples,
    ignored: a.ignored + b.ignored,
    rows: join(a.rows, b.rows),
  }),
  finish: finishMeanIoU,
  fits: (batch) => batch.original.dims.length >= 4 && havePlaces(batch),
  beside: ['accuracy'],
}

function countClasses(places: Places): MeanIoU {
  const { labels, samples, classes } = places
  const each = labels.length / samples
  const rows: number[] = []
  let ignored = 0
  for (let sample = 0; sample < samples; sample++) {
    const counts = new Uint32Array(classes * 5)
    for (let place = sample * each; place < (sample + 1) * each; place++) {
      if (labels[place] === IGNORED) ignored++
      else countPlace(counts, places, place)
    }
    let isFirst = 1
    for (let index = 0; index < classes; index++) {
      const row = counts.subarray(index * 5, index * 5 + 5)
      if (row[0] === 0 && row[1] === 0 && row[3] === 0) continue
      rows.push(isFirst, index, ...row)
      isFirst = 0
    }
  }
  return { samples, ignored, rows: Float64Array.from(rows) }
}

function countPlace(counts: Uint32Array, places: Places, place: number): void {
  const label = places.labels[place]!
  counts[label * 5]!++
  for (const [model, scores] of [places.original, places.result].entries()) {
    const predicted = scores.predicted[place]!
    if (predicted >= 0) counts[predicted * 5 + 1 + 2 * model]!++
    if (predicted === label) counts[label * 5 + 2 + 2 * model]!++
  }
}

interface ClassSums {
  labels: number
  readonly union: [number, number]
  readonly intersection: [number, number]
}

function finishMeanIoU({ rows, ignored }: MeanIoU): Finding | null {
  const classes = sumClasses(rows)
  const present = [...classes.values()].filter(({ labels }) => labels > 0)
  if (present.length === 0) return null
  const mean = (model: 0 | 1) =>
    present.reduce((sum, c) => sum + c.intersection[model] / c.union[model], 0) / present.length
  const [original, result] = [mean(0), mean(1)]
  const { samples, squares } = influences(rows, classes, present.length)
  const freedom = samples - 1
  const estimateOf = (value: number, sum: number) =>
    estimate(value, Math.sqrt((samples / freedom) * sum), freedom)
  const difference = estimateOf(result - original, squares.difference)
  return {
    original: { value: original, interval: estimateOf(original, squares.original).interval },
    result: { value: result, interval: estimateOf(result, squares.result).interval },
    difference: difference.interval,
    p_value: studentTest(difference, freedom),
    test: 'delta',
    details: { classes: present.length, ignored_labels: ignored },
  }
}

function sumClasses(rows: Pieces): ReadonlyMap<number, ClassSums> {
  const classes = new Map<number, ClassSums>()
  for (const row of rowsOf(rows)) {
    const sums = classes.get(row.index) ?? { labels: 0, union: [0, 0], intersection: [0, 0] }
    sums.labels += row.labels
    for (const model of [0, 1] as const) {
      sums.union[model] += row.union[model]
      sums.intersection[model] += row.intersection[model]
    }
    classes.set(row.index, sums)
  }
  return classes
}

/** Σ φ² of each model and of their difference. */
function influences(rows: Pieces, classes: ReadonlyMap<number, ClassSums>, present: number) {
  const squares = { original: 0, result: 0, difference: 0 }
  let samples = 0
  let phi: [number, number] = [0, 0]
  const endSample = () => {
    squares.original += phi[0] ** 2
    squares.result += phi[1] ** 2
    squares.difference += (phi[1] - phi[0]) ** 2
    phi = [0, 0]
  }
  for (const row of rowsOf(rows)) {
    if (row.isFirst) {
      endSample()
      samples++
    }
    const sums = classes.get(row.index)
    if (sums === undefined || sums.labels === 0) continue
    for (const model of [0, 1] as const) {
      const iou = sums.intersection[model] / sums.union[model]
      phi[model] += (row.intersection[model] - iou * row.union[model]) / sums.union[model] / present
    }
  }
  endSample()
  return { samples, squares }
}

interface Row {
  readonly isFirst: boolean
  readonly index: number
  readonly labels: number
  readonly union: readonly [number, number]
  readonly intersection: readonly [number, number]
}

function* rowsOf(rows: Pieces): Generator<Row, void, undefined> {
  for (const piece of piecesOf(rows)) {
    for (let at = 0; at < piece.length; at += ROW) {
      const [isFirst, index, labels = 0, ...models] = piece.subarray(at, at + ROW)
      const [predictedBefore = 0, before = 0, predictedAfter = 0, after = 0] = models
      yield {
        isFirst: isFirst === 1,
        index: index ?? 0,
        labels,
        union: [labels + predictedBefore - before, labels + predictedAfter - after],
        intersection: [before, after],
      }
    }
  }
}
