import { type Feeds, toBatches } from '@pare/datasets'
import { model } from '@pare/graph/testing'
import type { InferenceRuntime } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom } from '@pare/tensor'
import { describe, expect, it, vi } from 'vitest'

import { calibrate } from './calibrate.js'
import { countInThread } from './count-in-thread.js'
import { countHere, type PointValues } from './counter.js'
import { histogramObserver } from './histogram-observer.js'
import { mergeStatistics } from './merge-statistics.js'

const WIDTH = 4096

/** Elementwise, so that its values do not depend on the batch size. */
const elementwise = model({ opset: 17 })
  .input('x', 'float32', ['n', WIDTH])
  .node('Relu', ['x'], ['r'])
  .node('Neg', ['r'], ['y'])
  .output('y')
  .build()

function batch(rows: number, seed: number): Feeds {
  const random = createRandom(seed)
  const data = Float32Array.from({ length: rows * WIDTH }, () => random.normal())
  return { x: { dataType: 'float32', dims: [rows, WIDTH], data } }
}

function rowsOf({ x }: Feeds, from: number, to: number): Feeds {
  const data = (x!.data as Float32Array).slice(from * WIDTH, to * WIDTH)
  return { x: { ...x!, dims: [to - from, WIDTH], data } }
}

const runtime = onnxRuntime()

function observe(feeds: readonly Feeds[], use: InferenceRuntime = runtime) {
  const batches = toBatches(feeds)
  const points = ['x', 'r', 'y']
  return calibrate({ model: elementwise, points, runtime: use, batches, kind: 'histogram' })
}

/** 64 rows are enough for a thread; 8 are not. */
const large = batch(64, 1)

function tensorsOf(seed: number): PointValues[] {
  const random = createRandom(seed)
  return ['a', 'b', 'c'].map((point, i) => {
    const values = Float32Array.from({ length: 1000 }, () => random.normal() * 10 ** (seed - i))
    values.set([Infinity, NaN, 0, -0], seed)
    return { point, values }
  })
}

const openPorts = () =>
  process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length
const portsBefore = openPorts()

/** A thread's port closes a moment after the thread has ended. */
const expectNoThread = () => vi.waitFor(() => expect(openPorts()).toBe(portsBefore))

describe('counting in a thread', () => {
  it('gives bit for bit what counting here gives', async () => {
    const here = countHere(histogramObserver)
    const thread = countInThread('histogram', { maxBytes: 20_000 })
    for (let seed = 0; seed < 6; seed++) {
      here.add(tensorsOf(seed))
      await thread.room(12_000)
      thread.add(tensorsOf(seed))
      // In the middle, too.
      if (seed === 3) expect(await thread.states()).toEqual(await here.states())
    }
    expect(await thread.states()).toEqual(await here.states())
    await thread.close()
  })

  it('takes the buffers instead of copying them', async () => {
    const thread = countInThread('histogram', { maxBytes: 20_000 })
    const tensors = tensorsOf(1)
    thread.add(tensors)
    expect(tensors.map(({ values }) => values.length)).toEqual([0, 0, 0])
    await thread.close()
  })

  it('makes whoever has more values wait until there is room for them', async () => {
    const thread = countInThread('histogram', { maxBytes: 20_000 })
    thread.add(tensorsOf(1))
    let hasRoom = false
    const waits = thread.room(12_000).then(() => (hasRoom = true))
    await Promise.resolve()
    expect(hasRoom).toBe(false)
    await waits
    await thread.close()
  })

  it.each([
    ['fails to start', 'throw new Error("broken")', /broken/],
    ['ends on its own', 'process.exit(3)', /exit code 3/],
  ])('says so when the thread %s', async (_, code, message) => {
    const entry = new URL(`data:text/javascript,${code}`)
    const thread = countInThread('histogram', { maxBytes: 1, entry })
    thread.add(tensorsOf(1))
    await expect(thread.room(1)).rejects.toThrow(message)
    await expect(thread.states()).rejects.toThrow(message)
    await thread.close()
  })

  it('ends the thread whatever it is doing', async () => {
    const entry = new URL('data:text/javascript,for (;;);')
    const thread = countInThread('histogram', { maxBytes: 1, entry })
    expect(openPorts()).toBeGreaterThan(portsBefore)
    await thread.close()
    await expectNoThread()
  })
})

describe('calibrate with much to count', () => {
  const parts = Array.from({ length: 8 }, (_, i) => rowsOf(large, 8 * i, 8 * i + 8))

  it('finds in a thread what it finds without, and leaves the feeds as they were', async () => {
    const copy = rowsOf(large, 0, 64)
    const whole = await observe([large])
    expect(large).toEqual(copy)
    expect(await observe(parts)).toEqual(whole)
    const chunks = await Promise.all(parts.map((part) => observe([part])))
    expect(chunks.reduce(mergeStatistics)).toEqual(whole)
  })

  it('leaves no thread behind, also when the runtime fails', async () => {
    await observe([large, batch(3, 2)])
    await expectNoThread()
    let runs = 0
    const failing: InferenceRuntime = {
      ...runtime,
      createSession: async (...input) => {
        const session = await runtime.createSession(...input)
        return {
          ...session,
          run: (...feeds) =>
            ++runs > 2 ? Promise.reject(new Error('out of memory')) : session.run(...feeds),
        }
      },
    }
    await expect(observe([large, large, large], failing)).rejects.toThrow('out of memory')
    await expectNoThread()
  })
})
