// What there is to know of each metric without computing it: what it needs, which way is better, what
// a loss is, and its words. How it is computed is the row of the same name in
// packages/evaluation/src/metrics/metric-table.ts: a metric is these two rows.

/**
 * What a metric compares an output with:
 * - `class`: one class index per sample
 * - `classes`: one class index per sample or per place of it (position of a text, pixel of an
 *   image); in places negative labels are ignored, as −100 of PyTorch, and 255 in uint8 labels of
 *   fewer than 256 classes, the void of Pascal VOC and Cityscapes, whose masks cannot be negative
 * - `binary`: 0 or 1 per sample
 * - `targets`: a number per element of the output
 * - `none`: the output of the original
 */
export type LabelNeed = 'class' | 'classes' | 'binary' | 'targets' | 'none'

export interface MetricFacts {
  /** For the API: what it is, in half a sentence. */
  readonly description: string
  /** For the report: what its figures are called. */
  readonly label: string
  /** `share` is shown in percent; the others as a number, followed by the unit. */
  readonly unit: 'share' | 'nats' | ''
  readonly labels: LabelNeed
  /** The outputs it reads: their ranks with the batch (any, where absent) and their shape in words. */
  readonly output: { readonly ranks?: readonly number[]; readonly shape: string }
  readonly better: 'higher' | 'lower'
  /** A loss is a difference (of shares), or growth relative to the original (of errors). */
  readonly drop: 'difference' | 'growth'
}

const PLACES = {
  ranks: [2, 3, 4, 5],
  shape: '[batch, classes], [batch, positions, classes] or [batch, classes, height, width]',
} as const
const SCORES = { ranks: [2], shape: '[batch, classes]' } as const
const POSITIVES = { ranks: [1, 2], shape: '[batch], [batch, 1] or [batch, 2]' } as const
const TARGETS = { shape: 'that of the labels' } as const

export const METRIC_TABLE = {
  top1: {
    description: 'share of samples whose greatest score is that of their class',
    label: 'accuracy top1',
    unit: 'share',
    labels: 'class',
    output: SCORES,
    better: 'higher',
    drop: 'difference',
  },
  top5: {
    description: 'share of samples whose class is among the five greatest scores',
    label: 'accuracy top5',
    unit: 'share',
    labels: 'class',
    output: SCORES,
    better: 'higher',
    drop: 'difference',
  },
  accuracy: {
    description:
      'share of labelled samples, positions or pixels whose greatest score is that of their class',
    label: 'accuracy',
    unit: 'share',
    labels: 'classes',
    output: PLACES,
    better: 'higher',
    drop: 'difference',
  },
  miou: {
    description:
      'intersection over union of predicted and labelled places, mean over the classes present',
    label: 'mean IoU',
    unit: 'share',
    labels: 'classes',
    output: PLACES,
    better: 'higher',
    drop: 'difference',
  },
  cross_entropy: {
    description: 'mean of −log softmax(scores) at the class, in nats per labelled element',
    label: 'cross-entropy',
    unit: 'nats',
    labels: 'classes',
    output: PLACES,
    better: 'lower',
    drop: 'growth',
  },
  perplexity: {
    description: 'exp of the cross-entropy: among how many classes the model still wavers',
    label: 'perplexity',
    unit: '',
    labels: 'classes',
    output: PLACES,
    better: 'lower',
    drop: 'growth',
  },
  f1: {
    description: 'harmonic mean of precision and recall of class 1',
    label: 'F1',
    unit: 'share',
    labels: 'binary',
    output: POSITIVES,
    better: 'higher',
    drop: 'difference',
  },
  auroc: {
    description: 'how often a sample of class 1 has a greater score than one of class 0',
    label: 'area under the ROC curve',
    unit: 'share',
    labels: 'binary',
    output: POSITIVES,
    better: 'higher',
    drop: 'difference',
  },
  mse: {
    description: 'mean squared error',
    label: 'mean squared error',
    unit: '',
    labels: 'targets',
    output: TARGETS,
    better: 'lower',
    drop: 'growth',
  },
  rmse: {
    description: 'root of the mean squared error, in the unit of the labels',
    label: 'root mean squared error',
    unit: '',
    labels: 'targets',
    output: TARGETS,
    better: 'lower',
    drop: 'growth',
  },
  mae: {
    description: 'mean absolute error',
    label: 'mean absolute error',
    unit: '',
    labels: 'targets',
    output: TARGETS,
    better: 'lower',
    drop: 'growth',
  },
  fidelity: {
    description:
      'agreement with the original, without labels: share of equal classes, else cosine of the outputs',
    label: 'likeness to the original',
    unit: 'share',
    labels: 'none',
    output: { shape: 'any' },
    better: 'higher',
    drop: 'difference',
  },
} as const satisfies Readonly<Record<string, MetricFacts>>

export type MetricName = keyof typeof METRIC_TABLE

/** In the order in which they are offered. */
export const METRICS = Object.keys(METRIC_TABLE) as readonly MetricName[]

export function metricFacts(metric: MetricName): MetricFacts {
  return METRIC_TABLE[metric]
}

/**
 * What was lost from `original` to `result`: for shares a difference, 0.01 being one point; for errors
 * growth relative to the original's, 0.01 being 1 %. Negative is a gain. Null where that is no number:
 * an error that grew from zero, or a figure that is not finite.
 */
export function dropOf(metric: MetricName, original: number, result: number): number | null {
  const { better, drop } = metricFacts(metric)
  if (drop === 'growth' && original === 0) return result === 0 ? 0 : null
  const lost = drop === 'growth' ? result / original - 1 : result - original
  // Not −0 where nothing changed.
  const signed = better === 'lower' || lost === 0 ? lost : -lost
  return Number.isFinite(signed) ? signed : null
}
