// How close two tensors are, without labels. Formulas, with x the original and y the result, over
// all elements in which both are finite:
//   SQNR = 10 log10(Σx² / Σ(x − y)²) dB      cosine = Σxy / √(Σx² Σy²)
//   agreement = share of rows (the last axis) whose greatest element is in the same place;
//               of equal elements where the tensors hold integers
// All sums are float64 and add up over parts.
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'
import { type Interval, wilsonInterval } from '../statistics.js'
import { argmax } from './scores.js'

export interface FidelitySums {
  readonly elements: number
  /** Elements that are not finite in one of the two: they are in no other sum. */
  readonly nonFinite: number
  /** Elements that are not finite in the original, and in the result. */
  readonly originalNonFinite: number
  readonly resultNonFinite: number
  readonly originalSquared: number
  readonly resultSquared: number
  readonly product: number
  readonly differenceSquared: number
  readonly maxDifference: number
  readonly agreeing: number
  /** Rows that were compared; 0 when the tensor has no classes to compare. */
  readonly rows: number
}

export const NO_FIDELITY: FidelitySums = {
  elements: 0,
  nonFinite: 0,
  originalNonFinite: 0,
  resultNonFinite: 0,
  originalSquared: 0,
  resultSquared: 0,
  product: 0,
  differenceSquared: 0,
  maxDifference: 0,
  agreeing: 0,
  rows: 0,
}

export function mergeFidelity(a: FidelitySums, b: FidelitySums): FidelitySums {
  return {
    elements: a.elements + b.elements,
    nonFinite: a.nonFinite + b.nonFinite,
    originalNonFinite: a.originalNonFinite + b.originalNonFinite,
    resultNonFinite: a.resultNonFinite + b.resultNonFinite,
    originalSquared: a.originalSquared + b.originalSquared,
    resultSquared: a.resultSquared + b.resultSquared,
    product: a.product + b.product,
    differenceSquared: a.differenceSquared + b.differenceSquared,
    maxDifference: Math.max(a.maxDifference, b.maxDifference),
    agreeing: a.agreeing + b.agreeing,
    rows: a.rows + b.rows,
  }
}

/** Compares two tensors of one shape. Throws `outputs_differ` when the shapes are not the same. */
export function compareTensors(
  name: string,
  original: RuntimeTensor,
  result: RuntimeTensor,
): FidelitySums {
  const x = numbersOf(name, original)
  const y = numbersOf(name, result)
  if (original.dims.join() !== result.dims.join()) {
    throw errors.outputs_differ(
      `"${name}" has shape [${original.dims.join(', ')}] in the original and [${result.dims.join(', ')}] in the result`,
      { details: { output: name, original: original.dims, result: result.dims } },
    )
  }
  return { ...sumElements(x, y), ...countAgreement(original, x, y) }
}

function sumElements(x: ArrayLike<number>, y: ArrayLike<number>) {
  let [nonFinite, originalNonFinite, resultNonFinite] = [0, 0, 0]
  let [originalSquared, resultSquared] = [0, 0]
  let [product, differenceSquared, maxDifference] = [0, 0, 0]
  for (let index = 0; index < x.length; index++) {
    const a = x[index]!
    const b = y[index]!
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      if (!Number.isFinite(a)) originalNonFinite++
      if (!Number.isFinite(b)) resultNonFinite++
      if (!Object.is(a, b)) nonFinite++
      continue
    }
    const difference = Math.abs(a - b)
    originalSquared += a * a
    resultSquared += b * b
    product += a * b
    differenceSquared += difference * difference
    if (difference > maxDifference) maxDifference = difference
  }
  const sums = { originalSquared, resultSquared, product, differenceSquared, maxDifference }
  return { elements: x.length, nonFinite, originalNonFinite, resultNonFinite, ...sums }
}

function countAgreement(tensor: RuntimeTensor, x: ArrayLike<number>, y: ArrayLike<number>) {
  const isFloat = tensor.dataType.startsWith('float') || tensor.dataType === 'bfloat16'
  let agreeing = 0
  if (!isFloat) {
    for (let index = 0; index < x.length; index++) if (x[index] === y[index]) agreeing++
    return { agreeing, rows: x.length }
  }
  const classes = lastAxis(tensor.dims)
  if (classes < 2) return { agreeing: 0, rows: 0 }
  const rows = x.length / classes
  for (let row = 0; row < rows; row++) {
    if (argmax(x, row * classes, classes) === argmax(y, row * classes, classes)) agreeing++
  }
  return { agreeing, rows }
}

/**
 * Size of the axis of the classes: the last one, without trailing ones as in [samples, classes, 1, 1].
 * Tensors of rank 4 and more are maps, whose last axis is a place and not a class.
 */
function lastAxis(dims: readonly number[]): number {
  const axis = dims.findLastIndex((size) => size !== 1)
  return axis === 1 || axis === 2 ? dims[axis]! : 1
}

export interface Fidelity {
  /** Share of rows with the same greatest element; null where there are no classes. */
  readonly agreement: number | null
  /** Wilson's 95 % interval of it, rows taken as independent. */
  readonly agreement_interval: Interval | null
  /** Null when one of the tensors is all zero. */
  readonly cosine: number | null
  /** Null when there is no difference, or nothing to differ from (see `identical`). */
  readonly sqnr_db: number | null
  readonly max_abs_difference: number
  readonly identical: boolean
  /** Elements that are infinite or NaN in one model and not in the other. */
  readonly non_finite: number
  /** Elements that are infinite or NaN in the original: there is nothing sound to compare with. */
  readonly original_non_finite: number
  readonly result_non_finite: number
}

export function finishFidelity(sums: FidelitySums): Fidelity {
  const norms = Math.sqrt(sums.originalSquared) * Math.sqrt(sums.resultSquared)
  const sqnr = 10 * Math.log10(sums.originalSquared / sums.differenceSquared)
  return {
    agreement: sums.rows === 0 ? null : sums.agreeing / sums.rows,
    agreement_interval: sums.rows === 0 ? null : wilsonInterval(sums.agreeing, sums.rows),
    cosine: norms === 0 ? null : Math.min(1, sums.product / norms),
    sqnr_db: Number.isFinite(sqnr) ? sqnr : null,
    max_abs_difference: sums.maxDifference,
    identical: sums.differenceSquared === 0 && sums.nonFinite === 0,
    non_finite: sums.nonFinite,
    original_non_finite: sums.originalNonFinite,
    result_non_finite: sums.resultNonFinite,
  }
}
