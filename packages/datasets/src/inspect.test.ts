import { describe, expect, it } from 'vitest'

import { inspectDataset } from './inspect.js'
import { bytesAccess } from './random-access.js'
import { float32Array, int64Array, npz, type TestArray } from './testing.js'

function inspect(arrays: Record<string, TestArray>, options: { labels?: string } = {}) {
  return inspectDataset(bytesAccess(npz(arrays, { compressed: true })), options)
}

const image = float32Array([3, 2], [0.5, 1, -1, 2, 0.25, 3])
const label = int64Array([3], [0, 2, 1])

describe('inspectDataset', () => {
  it('describes arrays in alphabetical order and finds the labels', async () => {
    expect(await inspect({ label, image })).toEqual({
      arrays: [
        { name: 'image', dataType: 'float32', dims: [3, 2] },
        { name: 'label', dataType: 'int64', dims: [3] },
      ],
      samples: 3,
      labels: { kind: 'classes', name: 'label', min: 0, max: 2 },
      checks: [],
    })
  })

  it('takes the labels from the array it is told', async () => {
    const { labels } = await inspect({ image, y: label }, { labels: 'y' })
    expect(labels).toEqual({ kind: 'classes', name: 'y', min: 0, max: 2 })
    await expect(inspect({ image }, { labels: 'y' })).rejects.toMatchObject({
      code: 'dataset_labels_missing',
      details: { labels: 'y', arrays: ['image'] },
    })
  })

  it('does without labels, and says what that means', async () => {
    const { labels, checks } = await inspect({ image })
    expect(labels).toBeNull()
    expect(checks.map(({ code }) => code)).toEqual(['labels_absent'])
  })

  it.each([
    ['fractions', float32Array([3], [0, 1, 2])],
    ['negative numbers', int64Array([3], [0, -1, 2])],
    ['several fractions per sample', float32Array([3, 2], [0, 1, 2, 0, 1, 2])],
  ])('takes labels that are %s for targets', async (_, labels) => {
    expect((await inspect({ image, labels })).labels).toEqual({ kind: 'targets', name: 'labels' })
  })

  it('describes several integers per sample, also those that are not to count', async () => {
    const labels = int64Array([3, 2], [0, 1, 2, -100, 1, 2])
    expect((await inspect({ image, labels })).labels).toEqual({
      kind: 'places',
      name: 'labels',
      min: -100,
      max: 2,
    })
  })

  it('refuses NaN, naming array, count and first sample', async () => {
    const broken = float32Array([3, 2], [1, 2, 3, NaN, NaN, 4])
    await expect(inspect({ image: broken, label })).rejects.toMatchObject({
      code: 'dataset_nan',
      details: { array: 'image', count: 2, firstSample: 1 },
    })
  })

  it('finds NaN in float16 too', async () => {
    const half: TestArray = { dataType: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0x7e01) }
    await expect(inspect({ image: half })).rejects.toMatchObject({
      code: 'dataset_nan',
      details: { firstSample: 1 },
    })
  })

  it('refuses no samples, no arrays, and a single number', async () => {
    await expect(inspect({ image: float32Array([0, 2], []) })).rejects.toMatchObject({
      code: 'dataset_empty',
    })
    await expect(inspect({})).rejects.toMatchObject({ code: 'dataset_empty' })
    await expect(inspect({ image: float32Array([], [1]) })).rejects.toMatchObject({
      code: 'dataset_array_invalid',
    })
  })

  it('refuses arrays with different numbers of samples', async () => {
    await expect(inspect({ image, label: int64Array([2], [0, 1]) })).rejects.toMatchObject({
      code: 'dataset_lengths_differ',
      details: { samples: { image: 3, label: 2 } },
    })
  })

  it.each<[string, Record<string, TestArray>]>([
    ['input_constant', { image: float32Array([3], [7, 7, 7]) }],
    ['input_has_infinities', { image: float32Array([2], [1, Infinity]) }],
    ['input_not_normalized', { image: float32Array([2, 1, 2], [0, 255, 17, 3]) }],
    ['duplicate_samples', { image: float32Array([3, 2], [1, 2, 3, 4, 1, 2]) }],
    ['labels_single_class', { image, label: int64Array([3], [4, 4, 4]) }],
    ['no_inputs', { label }],
  ])('warns of %s', async (code, arrays) => {
    expect((await inspect(arrays)).checks.map((check) => check.code)).toContain(code)
  })

  it('does not call samples duplicates that differ in another array', async () => {
    const { checks } = await inspect({
      a: float32Array([2], [1, 1]),
      b: float32Array([2], [1, 2]),
    })
    expect(checks.map(({ code }) => code)).not.toContain('duplicate_samples')
  })
})
