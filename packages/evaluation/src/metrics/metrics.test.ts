// Metrics against their plain definitions, on random tensors, cut into random batches.
import type { RuntimeTensor } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { compareTensors, finishFidelity, mergeFidelity, NO_FIDELITY } from './fidelity.js'
import { countMetrics, mergeMetrics, type MetricSums } from './metric-table.js'
import { batchOf, int64 as integers, judgeBatches, type TestBatch } from './testing.js'

function floats(rows: readonly (readonly number[])[]): RuntimeTensor {
  const dims = [rows.length, rows[0]?.length ?? 0]
  return { dataType: 'float32', dims, data: Float32Array.from(rows.flat()) }
}

function int64(values: readonly number[]): RuntimeTensor {
  return integers([values.length], values)
}

const CLASSES = 7
// Few different values, so that ties are frequent.
const row = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: CLASSES, maxLength: CLASSES })
const sample = fc.record({ x: row, y: row, label: fc.nat(CLASSES - 1) })
const samples = fc.array(sample, { minLength: 2, maxLength: 12 })

function topK(scores: readonly number[], k: number): readonly number[] {
  const order = scores.map((score, index) => ({ score, index }))
  order.sort((a, b) => b.score - a.score || a.index - b.index)
  return order.slice(0, k).map(({ index }) => index)
}

function count(part: readonly { x: number[]; y: number[]; label: number }[]): MetricSums {
  const original = floats(part.map(({ x }) => x))
  const result = floats(part.map(({ y }) => y))
  const labels = int64(part.map(({ label }) => label))
  return countMetrics('top1', batchOf({ original, result, labels }))
}

function countTop1(original: RuntimeTensor, result: RuntimeTensor, labels: RuntimeTensor) {
  return countMetrics('top1', batchOf({ original, result, labels })).top1
}

describe('top1 and top5', () => {
  it('counts what sorting the scores gives, ties to the lower index', () => {
    fc.assert(
      fc.property(samples, (all) => {
        const counts = count(all)
        for (const [k, pairs] of [
          [1, counts.top1],
          [5, counts.top5],
        ] as const) {
          const right = all.map(({ x, y, label }) => [
            topK(x, k).includes(label),
            topK(y, k).includes(label),
          ])
          expect(pairs).toEqual({
            bothRight: right.filter(([a, b]) => a && b).length,
            onlyOriginalRight: right.filter(([a, b]) => a && !b).length,
            onlyResultRight: right.filter(([a, b]) => !a && b).length,
            bothWrong: right.filter(([a, b]) => !a && !b).length,
          })
        }
      }),
    )
  })

  it('counts parts to the count of the whole', () => {
    fc.assert(
      fc.property(samples, (all) => {
        const [head, tail] = [count(all.slice(0, 1)), count(all.slice(1))]
        expect(mergeMetrics(head, tail).top1).toEqual(count(all).top1)
        expect(mergeMetrics(head, tail).top5).toEqual(count(all).top5)
      }),
    )
  })

  it('takes a row with NaN for wrong, in every place', () => {
    const [original, result] = [floats([[0, 2, 1]]), floats([[NaN, 2, 1]])]
    expect(countTop1(original, result, int64([1]))?.onlyOriginalRight).toBe(1)
  })

  it('accepts scores with trailing sizes of one', () => {
    const scores: RuntimeTensor = {
      ...floats([
        [0, 1],
        [3, 2],
      ]),
      dims: [2, 2, 1, 1],
    }
    expect(countTop1(scores, scores, int64([1, 0]))).toEqual({
      bothRight: 2,
      onlyOriginalRight: 0,
      onlyResultRight: 0,
      bothWrong: 0,
    })
  })

  it.each<[string, RuntimeTensor, RuntimeTensor]>([
    ['one column', floats([[1], [2]]), int64([0, 1])],
    ['integers', { ...int64([1, 2]), dims: [1, 2] }, int64([0])],
    ['no rows', { dataType: 'float32', dims: [2], data: Float32Array.of(1, 2) }, int64([0, 1])],
    ['a map', { dataType: 'float32', dims: [1, 2, 2], data: new Float32Array(4) }, int64([0])],
    ['other rows', floats([[1, 2]]), int64([0, 1])],
    ['too few classes', floats([[1, 2]]), int64([2])],
    ['negative labels', floats([[1, 2]]), int64([-1])],
  ])('refuses %s', (_, scores, labels) => {
    expect(() => countTop1(scores, scores, labels)).toThrow(
      expect.objectContaining({ code: 'outputs_not_scores' }),
    )
  })
})

describe('compareTensors', () => {
  it('equals the formulas on the whole tensor, however it is cut', () => {
    const values = fc.array(fc.tuple(row, row), { minLength: 2, maxLength: 9 })
    fc.assert(
      fc.property(values, (rows) => {
        const parts = [rows.slice(0, 1), rows.slice(1)].map((part) =>
          compareTensors('y', floats(part.map(([x]) => x)), floats(part.map(([, y]) => y))),
        )
        const report = finishFidelity(parts.reduce(mergeFidelity, NO_FIDELITY))
        const [x, y] = [rows.flatMap(([a]) => a), rows.flatMap(([, b]) => b)]
        const sum = (f: (a: number, b: number) => number) =>
          x.reduce((total, a, index) => total + f(a, y[index]!), 0)
        const noise = sum((a, b) => (a - b) ** 2)
        const norms = Math.sqrt(sum((a) => a * a) * sum((_, b) => b * b))
        expect(report.identical).toBe(noise === 0)
        expect(report.agreement).toBeCloseTo(
          rows.filter(([a, b]) => topK(a, 1)[0] === topK(b, 1)[0]).length / rows.length,
          12,
        )
        if (norms > 0) expect(report.cosine).toBeCloseTo(sum((a, b) => a * b) / norms, 12)
        else expect(report.cosine).toBeNull()
        const sqnr = 10 * Math.log10(sum((a) => a * a) / noise)
        if (Number.isFinite(sqnr)) expect(report.sqnr_db).toBeCloseTo(sqnr, 9)
        else expect(report.sqnr_db).toBeNull()
      }),
    )
  })

  it('counts what is infinite or NaN on one side only', () => {
    const x = floats([[1, Infinity, NaN, 2]])
    const y = floats([[1, Infinity, 5, -Infinity]])
    expect(finishFidelity(compareTensors('y', x, y))).toMatchObject({
      non_finite: 2,
      original_non_finite: 2,
      result_non_finite: 2,
      identical: false,
      sqnr_db: null,
    })
  })

  it('reads float16, and compares integers by equality', () => {
    const half = (bits: number[]): RuntimeTensor => ({
      dataType: 'float16',
      dims: [1, bits.length],
      data: Uint16Array.from(bits),
    })
    const report = finishFidelity(
      compareTensors('y', half([0x3c00, 0x4000]), half([0x3c00, 0x4200])),
    )
    expect(report).toMatchObject({ max_abs_difference: 1, agreement: 1 })
    const integers = compareTensors('y', int64([1, 2, 3, 4]), int64([1, 2, 3, 5]))
    expect(finishFidelity(integers).agreement).toBe(0.75)
  })

  it('finds no classes in a column or in a map', () => {
    const map: RuntimeTensor = {
      dataType: 'float32',
      dims: [1, 1, 2, 2],
      data: Float32Array.of(1, 2, 3, 4),
    }
    expect(finishFidelity(compareTensors('y', map, map)).agreement).toBeNull()
    const column = floats([[1], [2]])
    expect(finishFidelity(compareTensors('y', column, column)).agreement).toBeNull()
  })

  it('refuses tensors of different shapes', () => {
    expect(() => compareTensors('y', floats([[1, 2]]), floats([[1], [2]]))).toThrow(
      expect.objectContaining({ code: 'outputs_differ' }),
    )
  })
})

describe('mse and mae', () => {
  const batch = (original: number[][], result: number[][], labels: number[][]): TestBatch => ({
    original: floats(original),
    result: floats(result),
    labels: floats(labels),
  })

  it('adds up to the mean of the squares, and of the differences of samples', () => {
    const first = batch([[1, 2]], [[3, 2]], [[3, 2]])
    const ones = [
      [1, 1],
      [1, 1],
    ]
    const zeros = [
      [0, 0],
      [0, 1],
    ]
    const second = batch(zeros, ones, ones)
    const found = judgeBatches('mse', [first, second])
    expect(found?.original.value).toBe((4 + 0 + 1 + 1 + 1 + 0) / 6)
    expect(found?.result.value).toBe(0)
    // Differences of the samples' means: −2, −1 and −½; t = 4.3027 with two degrees of freedom.
    const mean = -3.5 / 3
    const half = 4.3027 * Math.sqrt((4 + 1 + 0.25 - 3 * mean ** 2) / 2 / 3)
    expect(found?.difference?.low).toBeCloseTo(mean - half, 10)
    expect(found?.difference?.high).toBeCloseTo(mean + half, 10)
    expect(judgeBatches('rmse', [first, second])?.original.value).toBe(Math.sqrt(7 / 6))
    expect(judgeBatches('rmse', [first, second])?.drop_interval).toEqual({
      low: -1,
      high: expect.closeTo(Math.sqrt(1 + (mean + half) / (7 / 6)) - 1, 10) as number,
    })
    expect(judgeBatches('mae', [first, second])?.original.value).toBe((2 + 0 + 1 + 1 + 1 + 0) / 6)
  })

  it('takes a column for a list, and refuses other shapes', () => {
    const column = floats([[1], [2], [3]])
    const found = judgeBatches('mse', [{ original: column, labels: int64([1, 2, 4]) }])
    expect(found?.original.value).toBe(1 / 3)
    const wide = { original: floats([[1, 2, 3]]), labels: floats([[1, 2]]) }
    for (const metric of ['mse', 'mae'] as const) {
      expect(() => judgeBatches(metric, [wide])).toThrow(
        expect.objectContaining({ code: 'outputs_not_targets' }),
      )
    }
  })
})
