import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { type Batch, castFloats } from './batch.js'
import { type BatchOptions, openDataset } from './dataset.js'
import { normalizeDataset } from './normalize.js'
import { bytesAccess } from './random-access.js'
import { float32Array, int64Array, joinBytes, npz, type TestArray } from './testing.js'

async function normalized(arrays: Record<string, TestArray>, compressed = true) {
  const parts: Uint8Array[] = []
  const sink = { write: (bytes: Uint8Array) => Promise.resolve(void parts.push(bytes)) }
  await normalizeDataset(bytesAccess(npz(arrays, { compressed })), sink)
  return joinBytes(parts)
}

async function open(arrays: Record<string, TestArray>) {
  return openDataset(bytesAccess(await normalized(arrays)))
}

async function batchesOf(samples: number, options: BatchOptions): Promise<Batch[]> {
  const values = Array.from({ length: samples * 2 }, (_, index) => index)
  const x = float32Array([samples, 2], values)
  const label = int64Array(
    [samples],
    Array.from({ length: samples }, (_, index) => index),
  )
  const batches: Batch[] = []
  for await (const batch of (await open({ x, label })).batches(options)) batches.push(batch)
  return batches
}

describe('normalizeDataset', () => {
  const x = float32Array([2, 2], [1, 2, 3, 4])
  const y = int64Array([2], [5, 6])

  it('gives the same bytes for the same arrays, however they were packed', async () => {
    const bytes = await normalized({ x, y }, true)
    expect(await normalized({ y, x }, false)).toEqual(bytes)
  })

  it('places elements at multiples of 64 bytes', async () => {
    const bytes = Buffer.from(await normalized({ x, y }))
    for (const { data } of [x, y]) {
      const elements = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      expect(bytes.indexOf(elements) % 64).toBe(0)
    }
  })
})

describe('openDataset', () => {
  it('reads the batches that were asked for', async () => {
    const batches = await batchesOf(10, { batchSize: 4, offset: 1, limit: 6 })
    expect(batches.map(({ offset, count }) => [offset, count])).toEqual([
      [1, 4],
      [5, 2],
    ])
    expect(batches[1]).toEqual({
      offset: 5,
      count: 2,
      rows: 2,
      feeds: { x: { dataType: 'float32', dims: [2, 2], data: Float32Array.of(10, 11, 12, 13) } },
      labels: { dataType: 'int64', dims: [2], data: BigInt64Array.of(5n, 6n) },
    })
  })

  it('feeds an input that is whole without the dimension of the samples', async () => {
    const inputs = [
      { input: 'state', array: 'x', isWhole: true },
      { input: 'x', array: 'x' },
    ]
    const batches = await batchesOf(3, { batchSize: 1, inputs })
    expect(batches.map(({ feeds }) => [feeds['state']?.dims, feeds['x']?.dims])).toEqual(
      Array.from({ length: 3 }, () => [[2], [1, 2]]),
    )
    expect(batches[2]?.feeds['state']?.data).toEqual(Float32Array.of(4, 5))
    await expect(batchesOf(3, { batchSize: 2, inputs })).rejects.toThrow(RangeError)
  })

  it('leaves out or fills up a last batch that is too short', async () => {
    const dropped = await batchesOf(5, { batchSize: 3, remainder: 'drop' })
    expect(dropped.map(({ count }) => count)).toEqual([3])
    const padded = await batchesOf(5, { batchSize: 4, remainder: 'pad' })
    expect(padded[1]?.count).toBe(1)
    expect(padded[1]?.feeds['x']).toEqual({
      dataType: 'float32',
      dims: [4, 2],
      data: Float32Array.of(8, 9, 8, 9, 8, 9, 8, 9),
    })
    expect(padded[1]?.labels?.dims).toEqual([1])
  })

  it('feeds inputs from arrays of other names', async () => {
    const dataset = await open({ arr_0: float32Array([2], [1, 2]) })
    const batch = await dataset.head(1, { inputs: [{ input: 'image', array: 'arr_0' }] })
    expect(batch.feeds['image']?.data).toEqual(Float32Array.of(1))
  })

  it('converts between float16 and float32 where the input takes the other', async () => {
    const inputs = [{ input: 'x', array: 'x', dataType: 'float16' as const }]
    const [batch] = await batchesOf(2, { inputs })
    expect(batch?.feeds['x']).toEqual({
      dataType: 'float16',
      dims: [2, 2],
      data: Uint16Array.of(0, 0x3c00, 0x4000, 0x4200), // 0, 1, 2, 3
    })
    const [same] = await batchesOf(2, {
      inputs: [{ input: 'x', array: 'x', dataType: 'float32' as const }],
    })
    expect(same?.feeds['x']?.data).toEqual(Float32Array.of(0, 1, 2, 3))
    expect(castFloats(batch!.feeds['x']!, 'float32')).toEqual(same!.feeds['x'])
  })

  it('refuses compressed data and a batch size of nothing', async () => {
    const compressed = npz({ x: float32Array([2], [1, 2]) }, { compressed: true })
    await expect(openDataset(bytesAccess(compressed))).rejects.toMatchObject({
      code: 'dataset_not_normalized',
    })
    await expect(batchesOf(2, { batchSize: 0 })).rejects.toThrow(RangeError)
  })

  it('never reads more than the batch', async () => {
    const bytes = await normalized({ x: float32Array([1000, 100], new Float32Array(100_000)) })
    const reads: number[] = []
    const source = {
      ...bytesAccess(bytes),
      read: (offset: number, length: number) => {
        reads.push(length)
        return bytesAccess(bytes).read(offset, length)
      },
    }
    const dataset = await openDataset(source)
    reads.length = 0
    await dataset.head(3)
    expect(reads).toEqual([3 * 400])
  })

  it('yields every sample once, in order, whatever the batch size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 7 }),
        async (samples, batchSize) => {
          const labels = (await batchesOf(samples, { batchSize })).flatMap((batch) =>
            Array.from(batch.labels!.data as BigInt64Array, Number),
          )
          expect(labels).toEqual(Array.from({ length: samples }, (_, index) => index))
        },
      ),
      { numRuns: 30 },
    )
  })
})
