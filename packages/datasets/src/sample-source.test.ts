import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'

import type { Batch } from './batch.js'
import { type Dataset, openDataset } from './dataset.js'
import { bytesAccess } from './random-access.js'
import { type SamplePart, sampleSource, type SampleSourceOptions } from './sample-source.js'
import { float32Array, int64Array, npz } from './testing.js'

const SAMPLES = 10

let dataset: Dataset

beforeAll(async () => {
  const indices = Array.from({ length: SAMPLES }, (_, i) => i)
  const x = float32Array(
    [SAMPLES, 2],
    indices.flatMap((i) => [i, -i]),
  )
  const label = int64Array([SAMPLES], indices)
  dataset = await openDataset(bytesAccess(npz({ x, label })))
})

const INPUTS = [{ input: 'x', array: 'x' }]

async function read(
  part: SamplePart = {},
  options: Partial<SampleSourceOptions> & { readonly fixed?: number } = {},
): Promise<readonly Batch[]> {
  const match = { inputs: INPUTS, fixedBatchSize: options.fixed ?? null }
  const batches: Batch[] = []
  const source = sampleSource(dataset, { match, ...options })
  for await (const batch of source.batches(part)) batches.push(batch)
  return batches
}

/** The samples read, as their labels say; each with its own values. */
function samplesIn(batches: readonly Batch[]): readonly number[] {
  return batches.flatMap(({ labels, feeds }) =>
    Array.from(labels!.data as BigInt64Array, (label, row) => {
      expect(feeds['x']!.data[2 * row]).toBe(Number(label))
      expect(feeds['x']!.data[2 * row + 1]).toBe(-Number(label))
      return Number(label)
    }),
  )
}

describe('sampleSource', () => {
  it('reads as the source says, or as the part asks', async () => {
    const batches = await read({}, { batchSize: 4 })
    expect(batches.map(({ count }) => count)).toEqual([4, 4, 2])
    const dropped = await read({ batchSize: 3, from: 2, remainder: 'drop' }, { batchSize: 4 })
    expect(dropped.map(({ offset, count }) => [offset, count])).toEqual([
      [2, 3],
      [5, 3],
    ])
    expect(samplesIn(dropped)).toEqual([2, 3, 4, 5, 6, 7])
  })

  it('fills the last batch up where the model insists on a size', async () => {
    const batches = await read({ batchSize: 3 }, { fixed: 4 })
    expect(batches.map(({ count, rows }) => [count, rows])).toEqual([
      [4, 4],
      [4, 4],
      [2, 4],
    ])
    expect((await read({ remainder: 'drop' }, { fixed: 4 })).map(({ rows }) => rows)).toEqual([
      4, 4,
    ])
  })

  it('gives further arrays of labels that are asked for, not padded', async () => {
    const [, last] = await read({ batchSize: 6 }, { labelArrays: ['x', 'label'], fixed: 6 })
    expect(last?.labelArrays?.['label']).toEqual(last?.labels)
    expect(last?.labelArrays?.['x']?.dims).toEqual([4, 2])
    expect(last?.rows).toBe(6)
    await expect(read({}, { labelArrays: ['none'] })).rejects.toMatchObject({
      code: 'dataset_input_missing',
    })
  })

  it('has the samples of a part of the data set only', async () => {
    const part = { offset: 3, limit: 4 }
    expect(
      sampleSource(dataset, { match: { inputs: INPUTS, fixedBatchSize: null }, ...part }).samples,
    ).toBe(4)
    expect(samplesIn(await read({}, part))).toEqual([3, 4, 5, 6])
    expect(samplesIn(await read({ from: 2, samples: 9 }, part))).toEqual([5, 6])
    expect(samplesIn(await read({ order: { seed: 1 } }, part)).toSorted()).toEqual([3, 4, 5, 6])
    expect(await read({ from: 4 }, part)).toEqual([])
    expect(await read({}, { offset: 11 })).toEqual([])
  })

  it('shuffles by the seed, each sample once, and goes on in the order where it is asked to', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: SAMPLES }),
        async (seed, batchSize, from) => {
          const order = { seed }
          const all = samplesIn(await read({ order, batchSize }))
          expect(all.toSorted((a, b) => a - b)).toEqual(Array.from(all, (_, i) => i))
          expect(samplesIn(await read({ order, from }))).toEqual(all.slice(from))
          expect(samplesIn(await read({ order, from, samples: 2 }))).toEqual(
            all.slice(from, from + 2),
          )
        },
      ),
      { numRuns: 30 },
    )
    const [first, second] = [await read({ order: { seed: 1 } }), await read({ order: { seed: 2 } })]
    expect(samplesIn(first)).not.toEqual(samplesIn(second))
  })
})
