import { describe, expect, it } from 'vitest'

import type { ArrayDescription } from './description.js'
import { matchDataset, type ModelInput } from './match.js'

function dataset(arrays: Record<string, readonly [ArrayDescription['dataType'], number[]]>) {
  return {
    arrays: Object.entries(arrays).map(([name, [dataType, dims]]) => ({ name, dataType, dims })),
    samples: 10,
    labels: 'label' in arrays ? ({ kind: 'targets', name: 'label' } as const) : null,
  }
}

const image = (shape: ModelInput['shape']): ModelInput[] => [
  { name: 'image', dataType: 'float32', ...(shape ? { shape } : {}) },
]

describe('matchDataset', () => {
  it('binds arrays to inputs by name and reports those it does not need', () => {
    const data = dataset({
      image: ['float32', [10, 3]],
      label: ['int64', [10]],
      extra: ['int8', [10]],
    })
    expect(matchDataset(data, image(['batch', 3]))).toEqual({
      inputs: [{ input: 'image', array: 'image' }],
      fixedBatchSize: null,
      paddedSamples: 0,
      unusedArrays: ['extra'],
    })
  })

  it('feeds a single input from a single unnamed array', () => {
    const data = dataset({ arr_0: ['float32', [10, 3]], label: ['int64', [10]] })
    expect(matchDataset(data, image([null, 3])).inputs).toEqual([
      { input: 'image', array: 'arr_0' },
    ])
  })

  it('reports a fixed batch size and how many samples fill up its last batch', () => {
    const data = dataset({ image: ['float32', [10, 3]] })
    expect(matchDataset(data, image([4, 3]))).toMatchObject({ fixedBatchSize: 4, paddedSamples: 2 })
    expect(matchDataset(data, image([5, 3]))).toMatchObject({ fixedBatchSize: 5, paddedSamples: 0 })
  })

  it('takes any shape where the model states none', () => {
    const data = dataset({ image: ['float32', [10, 3, 7]] })
    expect(matchDataset(data, image(undefined)).fixedBatchSize).toBeNull()
    expect(matchDataset(data, image(['n', null, 'width'])).fixedBatchSize).toBeNull()
  })

  it('names a missing array and what the model expects', () => {
    const data = dataset({ images: ['float32', [10, 3]] })
    expect(() => matchDataset(data, image(['n', 3]))).toThrow(
      expect.objectContaining({
        code: 'dataset_input_missing',
        details: { input: 'image', arrays: ['images'], expected: ['image'] },
      }),
    )
  })

  it.each([
    ['float16', 'float32'],
    ['float32', 'float16'],
  ] as const)('lets a %s array feed a %s input', (stored, dataType) => {
    const data = dataset({ image: [stored, [10, 3]] })
    const input = { name: 'image', dataType, shape: ['n', 3] }
    expect(matchDataset(data, [input]).inputs).toEqual([
      { input: 'image', array: 'image', dataType },
    ])
  })

  it('names a wrong dtype and the remedy', () => {
    const data = dataset({ image: ['float64', [10, 3]] })
    expect(() => matchDataset(data, image(['n', 3]))).toThrow(
      expect.objectContaining({
        code: 'dataset_dtype_mismatch',
        details: { array: 'image', expected: 'float32', got: 'float64' },
        message: expect.stringContaining('astype("float32")') as string,
      }),
    )
  })

  it.each([
    ['channels last', [10, 28, 28, 3], ['n', 3, 28, 28], 'transpose(0, 3, 1, 2)'],
    ['channels first', [10, 3, 28, 28], ['n', 28, 28, 3], 'transpose(0, 2, 3, 1)'],
    ['no channels', [10, 28, 28], ['n', 1, 28, 28], 'expand_dims(array, 1)'],
    ['no last channels', [10, 28, 28], ['n', 28, 28, 1], 'expand_dims(array, -1)'],
    ['flat rows', [10, 784], ['n', 1, 28, 28], 'reshape(-1, 1, 28, 28)'],
    ['another size', [10, 3, 32, 32], ['n', 3, 28, 28], 'exactly as for the model'],
    ['no samples axis', [28], ['n', 28], 'exactly as for the model'],
  ])('names the remedy for %s', (_, dims, shape, remedy) => {
    expect(() => matchDataset(dataset({ image: ['float32', dims] }), image(shape))).toThrow(
      expect.objectContaining({
        code: 'dataset_shape_mismatch',
        message: expect.stringContaining(remedy) as string,
      }),
    )
  })

  it('wants a named size to be the same in all inputs', () => {
    const inputs: ModelInput[] = ['ids', 'mask'].map((name) => ({
      name,
      dataType: 'int64',
      shape: ['batch', 'length'],
    }))
    const good = dataset({ ids: ['int64', [10, 16]], mask: ['int64', [10, 16]] })
    expect(matchDataset(good, inputs).inputs).toHaveLength(2)
    const bad = dataset({ ids: ['int64', [10, 16]], mask: ['int64', [10, 15]] })
    expect(() => matchDataset(bad, inputs)).toThrow(
      expect.objectContaining({ code: 'dataset_shape_mismatch' }),
    )
  })

  it('refuses inputs that disagree on the batch, or have none', () => {
    const inputs: ModelInput[] = [
      { name: 'a', dataType: 'float32', shape: [2, 3] },
      { name: 'b', dataType: 'float32', shape: [4, 3] },
    ]
    const data = dataset({ a: ['float32', [10, 3]], b: ['float32', [10, 3]] })
    expect(() => matchDataset(data, inputs)).toThrow(
      expect.objectContaining({ code: 'dataset_shape_mismatch' }),
    )
    expect(() => matchDataset(dataset({ image: ['float32', [10, 2]] }), image([]))).toThrow(
      expect.objectContaining({ code: 'dataset_shape_mismatch' }),
    )
  })

  describe('with arrays that hold a whole input per sample', () => {
    const recurrent: ModelInput[] = [
      { name: 'input', dataType: 'float32', shape: [null, null] },
      { name: 'state', dataType: 'float32', shape: [2, null, 128] },
      { name: 'sr', dataType: 'int64', shape: [] },
    ]

    it('feeds a recurrent state and a scalar, one sample at a time', () => {
      const data = dataset({
        input: ['float32', [10, 512]],
        state: ['float32', [10, 2, 1, 128]],
        sr: ['int64', [10]],
      })
      expect(matchDataset(data, recurrent)).toEqual({
        inputs: [
          { input: 'input', array: 'input' },
          { input: 'state', array: 'state', isWhole: true },
          { input: 'sr', array: 'sr', isWhole: true },
        ],
        fixedBatchSize: 1,
        paddedSamples: 0,
        unusedArrays: [],
      })
    })

    it('takes a whole batch of one beside them', () => {
      const data = dataset({
        input: ['float32', [10, 1, 512]],
        state: ['float32', [10, 2, 1, 128]],
        sr: ['int64', [10]],
      })
      const { inputs } = matchDataset(data, recurrent)
      expect(inputs.map(({ isWhole }) => isWhole)).toEqual([true, true, true])
    })

    it('refuses them beside an input whose batch is fixed to more', () => {
      const inputs = [{ ...recurrent[0]!, shape: [4, 512] }, recurrent[2]!]
      const data = dataset({ input: ['float32', [10, 512]], sr: ['int64', [10]] })
      expect(() => matchDataset(data, inputs)).toThrow(
        expect.objectContaining({ code: 'dataset_shape_mismatch' }),
      )
    })

    it('refuses them where the first dimension of the input is open, which is the batch', () => {
      const data = dataset({ image: ['float32', [10, 3, 16]] })
      expect(() => matchDataset(data, image(['n', 16]))).toThrow(
        expect.objectContaining({ code: 'dataset_shape_mismatch' }),
      )
    })

    it('refuses them when another dimension does not fit', () => {
      const data = dataset({ image: ['float32', [10, 28, 28]] })
      expect(() => matchDataset(data, image([28, 27]))).toThrow(
        expect.objectContaining({ code: 'dataset_shape_mismatch' }),
      )
    })
  })
})
