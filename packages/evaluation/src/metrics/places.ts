// Outputs as scores of places: one row of scores for each label, wherever the classes lie. A place is a
// sample, a position of a text or a pixel.
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'
import type { JudgedBatch } from './metric.js'

/** The label of a place that does not count. */
export const IGNORED = -1

export interface Places {
  readonly samples: number
  readonly classes: number
  /** The class of each place, or `IGNORED`; those of one sample lie together. */
  readonly labels: Int32Array
  readonly original: PlaceScores
  readonly result: PlaceScores
}

/** The scores of one model. */
export class PlaceScores {
  readonly #values: ArrayLike<number>
  readonly #classes: number
  /** Elements between two scores of a place: 1 where the classes are the last axis. */
  readonly #stride: number
  readonly #labels: Int32Array
  #predicted: Int32Array | undefined
  #losses: Float64Array | undefined

  constructor(values: ArrayLike<number>, axis: ClassAxis, labels: Int32Array) {
    this.#values = values
    this.#classes = axis.classes
    this.#stride = axis.stride
    this.#labels = labels
  }

  /** The class with the greatest score, the first of equals; −1 where one of the scores is NaN. */
  get predicted(): Int32Array {
    return (this.#predicted ??= this.#labels.map((_, place) => this.#argmax(place)))
  }

  /** −log softmax(scores) at the label, in nats; 0 for ignored places. */
  get losses(): Float64Array {
    return (this.#losses ??= Float64Array.from(this.#labels, (label, place) =>
      label === IGNORED ? 0 : this.#loss(place, label),
    ))
  }

  /** Whether the scores of every place lie between 0 and 1 and add up to 1. */
  looksLikeProbabilities(): boolean {
    return this.#labels.every((_, place) => {
      let sum = 0
      for (let index = 0, at = this.#start(place); index < this.#classes; index++) {
        const value = this.#values[at]!
        if (!(value >= 0 && value <= 1)) return false
        sum += value
        at += this.#stride
      }
      return Math.abs(sum - 1) < PROBABILITY_TOLERANCE
    })
  }

  #start(place: number): number {
    const inner = place % this.#stride
    return (place - inner) * this.#classes + inner
  }

  #argmax(place: number): number {
    let best = -1
    let greatest = -Infinity
    for (let index = 0, at = this.#start(place); index < this.#classes; index++) {
      const value = this.#values[at]!
      if (Number.isNaN(value)) return -1
      if (value > greatest || index === 0) {
        greatest = value
        best = index
      }
      at += this.#stride
    }
    return best
  }

  /** log Σ exp(x − max) + max − x of the label, in float64: no score overflows. */
  #loss(place: number, label: number): number {
    const start = this.#start(place)
    let greatest = -Infinity
    for (let index = 0, at = start; index < this.#classes; index++, at += this.#stride) {
      greatest = Math.max(greatest, this.#values[at]!)
    }
    let sum = 0
    for (let index = 0, at = start; index < this.#classes; index++, at += this.#stride) {
      sum += Math.exp(this.#values[at]! - greatest)
    }
    return Math.log(sum) + (greatest - this.#values[start + label * this.#stride]!)
  }
}

/** Scores in float16 add up to 1 within this. */
const PROBABILITY_TOLERANCE = 0.005

interface ClassAxis {
  readonly classes: number
  readonly stride: number
}

/** Metrics of one batch share what they read of it. */
const known = new WeakMap<JudgedBatch, Places>()

/**
 * Reads both outputs as scores of the places that the labels have. Throws `outputs_not_scores` with
 * the remedy.
 */
export function readPlaces(batch: JudgedBatch, labels: RuntimeTensor): Places {
  const before = known.get(batch)
  if (before !== undefined) return before
  const { output, original, result, samples } = batch
  const axis = isFloat(original) ? classAxis(original.dims, labels.dims) : null
  if (axis === null) {
    throw errors.outputs_not_scores(
      `output "${output}" is ${original.dataType} [${original.dims.join(', ')}] and the labels have shape [${labels.dims.join(', ')}]: the output needs the shape of the labels with one axis of classes more, second or last; choose the metric mse or fidelity, or another output with evaluation.output`,
      {
        details: {
          output,
          dataType: original.dataType,
          dims: original.dims,
          labelDims: labels.dims,
        },
      },
    )
  }
  const classes = readLabels(batch, labels, axis.classes)
  const scores = (tensor: RuntimeTensor) =>
    new PlaceScores(numbersOf(output, tensor), axis, classes)
  const places: Places = {
    samples,
    classes: axis.classes,
    labels: classes,
    original: scores(original),
    result: scores(result),
  }
  known.set(batch, places)
  return places
}

/**
 * The axis without which the output has the shape of the labels; sizes of 1 do not matter. Where both
 * the second and the last would do, it is the last of [batch, positions, classes] and the second of
 * maps, [batch, classes, height, width]. Null where there is none with two classes or more.
 */
export function classAxis(dims: readonly number[], labelDims: readonly number[]): ClassAxis | null {
  const last = dims.length - 1
  const candidates = dims.length > 3 ? [1, last] : [last, 1]
  const axis = candidates.find(
    (at) => (dims[at] ?? 0) >= 2 && shapeOf(dims.toSpliced(at, 1)) === shapeOf(labelDims),
  )
  if (axis === undefined) return null
  return { classes: dims[axis]!, stride: dims.slice(axis + 1).reduce((a, b) => a * b, 1) }
}

function shapeOf(dims: readonly number[]): string {
  return dims.filter((size) => size !== 1).join()
}

/** Whether the labels are classes of the places of this output. */
export function havePlaces({ original, labels, samples }: JudgedBatch): boolean {
  if (labels === null || !/^u?int/.test(labels.dataType) || !isFloat(original)) return false
  const axis = classAxis(original.dims, labels.dims)
  if (axis === null) return false
  const ignores = ignoreRule(labels, { samples, classes: axis.classes })
  return Array.from(numbersOf('labels', labels)).every(
    (label) => ignores(label) || label < axis.classes,
  )
}

function readLabels(
  { output, samples }: JudgedBatch,
  labels: RuntimeTensor,
  classes: number,
): Int32Array {
  const ignores = ignoreRule(labels, { samples, classes })
  return Int32Array.from(numbersOf('labels', labels), (label) => {
    if (ignores(label)) return IGNORED
    if (Number.isInteger(label) && label < classes) return label
    throw errors.outputs_not_scores(
      `the label ${label} is no class of output "${output}", which has ${classes} scores, 0 to ${classes - 1}: give places that are not to count the label −100, or choose another output with evaluation.output`,
      { details: { output, classes, label } },
    )
  })
}

/**
 * Negative labels do not count (−100 of PyTorch, −1 of many others). In masks of uint8, which cannot be
 * negative, 255 does not either, unless it is a class: the void of Pascal VOC and Cityscapes.
 */
function ignoreRule(
  labels: RuntimeTensor,
  { samples, classes }: { readonly samples: number; readonly classes: number },
): (label: number) => boolean {
  const hasVoid = labels.dataType === 'uint8' && labels.data.length > samples && classes <= 255
  return (label) => label < 0 || (hasVoid && label === 255)
}

export function isFloat({ dataType }: RuntimeTensor): boolean {
  return dataType.startsWith('float') || dataType === 'bfloat16'
}
