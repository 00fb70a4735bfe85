import { toBatches } from '@pare/datasets'
import { model } from '@pare/graph/testing'
import type { InferenceRuntime } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { describe, expect, it } from 'vitest'

import { int64 } from './int64.js'
import type { Probe } from './probe.js'
import { runProbes } from './run-probes.js'
import { shownValues } from './shown-values.js'
import { statisticsProbe } from './statistics-probe.js'

const built = model({ opset: 17 })
  .input('x', 'float32', ['n', 2])
  .node('Neg', ['x'], ['h'])
  .node('Relu', ['h'], ['y'])
  .output('y', 'float32', ['n', 2])
  .build()

const batches = toBatches(
  [1, 2, 3].map((value) => ({
    x: { dataType: 'float32', dims: [2, 2], data: Float32Array.of(-value, 0, value, value) },
  })),
)

/** Counts sessions, those that are still open, and runs. */
function watchedRuntime() {
  const counts = { sessions: 0, open: 0, runs: 0 }
  const real = onnxRuntime()
  const runtime: InferenceRuntime = {
    ...real,
    createSession: async (...input) => {
      const session = await real.createSession(...input)
      counts.sessions++
      counts.open++
      return {
        ...session,
        run: (...feeds) => {
          counts.runs++
          return session.run(...feeds)
        },
        release: () => {
          counts.open--
          return session.release()
        },
      }
    },
  }
  return { counts, runtime }
}

/** The first value of `h` in each batch, with a factor that it feeds itself, 10 where it says nothing. */
function scaled(factors: readonly (number | undefined)[], most = Infinity): Probe<number[]> {
  return {
    attach: ({ editor, emit, show, addInput }) => {
      const factor = editor.uniqueName('factor')
      const type = { kind: 'tensor', elementType: 'int64', shape: [{ size: 1 }] } as const
      addInput({ name: factor, type, metadataProps: [] }, int64(10))
      const product = emit.mul('h', emit.cast(factor, 'float32'))
      show([product])
      const seen: number[] = []
      return {
        observe: async ({ outputs, rerun }) => {
          for (const one of factors) {
            const found = await (one === undefined ? outputs() : rerun({ [factor]: int64(one) }))
            if (one !== undefined) expect(Object.keys(found)).toEqual([product])
            seen.push(Number(found[product]!.data[0]))
          }
        },
        isDone: () => seen.length >= most,
        result: () => seen,
      }
    },
  }
}

describe('runProbes', () => {
  it('gives each of several probes what it finds alone, in one session and one run', async () => {
    const { counts, runtime } = watchedRuntime()
    const progress: number[] = []
    const shown: unknown[] = []
    const { samples, results } = await runProbes({
      ...{ model: built, batches, runtime },
      probes: [
        statisticsProbe('minmax', ['h'], {}),
        shownValues({ see: ({ y }) => shown.push(y?.data[0]) }),
        scaled([undefined]),
      ],
      onProgress: (seen) => progress.push(seen.samples),
    })
    expect(samples).toBe(6)
    expect(progress).toEqual([2, 4, 6])
    expect(results[0]['h']?.state.range).toEqual({ min: -3, max: 3 })
    expect(shown).toEqual([1, 2, 3])
    expect(results[2]).toEqual([10, 20, 30])
    expect(counts).toEqual({ sessions: 1, open: 0, runs: 3 })
  })

  it('lets a probe run batches again with inputs of its own, and hides what others show', async () => {
    const { counts, runtime } = watchedRuntime()
    const { results } = await runProbes({
      ...{ model: built, batches, runtime },
      probes: [scaled([2, 3]), scaled([undefined])],
    })
    expect(results).toEqual([
      [2, 3, 4, 6, 6, 9],
      [10, 20, 30],
    ])
    expect(counts.runs).toBe(9)
  })

  it('asks a probe that has seen enough no more, and ends when all have', async () => {
    const { counts, runtime } = watchedRuntime()
    const { samples, results } = await runProbes({
      ...{ model: built, batches, runtime },
      probes: [scaled([undefined], 1), scaled([undefined], 2)],
    })
    expect(samples).toBe(4)
    expect(results).toEqual([[10], [10, 20]])
    expect(counts.runs).toBe(2)
  })

  it('gives the histograms that a probe alone gives', async () => {
    const options = { model: built, batches, runtime: onnxRuntime() }
    const probe = statisticsProbe('histogram', ['x', 'h', 'y'], { samples: 6, countedValues: 5 })
    const alone = await runProbes({ ...options, probes: [probe] })
    const beside = await runProbes({ ...options, probes: [scaled([undefined, 2]), probe] })
    expect(beside.results[1]).toEqual(alone.results[0])
  })

  it('opens nothing without data, and closes what it opened when something fails', async () => {
    const { counts, runtime } = watchedRuntime()
    const options = { model: built, runtime, probes: [scaled([undefined])] }
    expect(await runProbes({ ...options, batches: [] })).toEqual({ samples: 0, results: [[]] })
    expect(counts.sessions).toBe(0)
    const abort = new AbortController()
    const aborted = runProbes({
      ...{ ...options, batches, signal: abort.signal },
      onProgress: () => abort.abort(new Error('enough')),
    })
    await expect(aborted).rejects.toThrow('enough')
    const wrong = shownValues({ values: ['nothing'], see: () => undefined })
    await expect(runProbes({ ...options, batches, probes: [wrong] })).rejects.toMatchObject({
      code: 'runtime_rejected_model',
    })
    expect(counts).toEqual({ sessions: 1, open: 0, runs: 1 })
  })

  it('opens its sessions on the device that it is told', async () => {
    const devices: unknown[] = []
    const real = onnxRuntime()
    const runtime: InferenceRuntime = {
      ...real,
      createSession: (bytes, { device, ...options } = {}) => {
        devices.push(device)
        return real.createSession(bytes, options)
      },
    }
    const probes = [statisticsProbe('minmax', ['h'], {})]
    const spoilt = toBatches([
      { x: { ...batches[0]!.feeds['x']!, data: Float32Array.of(1, NaN, 2, 3) } },
    ])
    await runProbes({ model: built, batches: spoilt, runtime, probes, device: 'cuda' })
    // The run, and the values of the batch that the reductions cannot be trusted about.
    expect(devices).toEqual(['cuda', 'cuda'])
  })
})
