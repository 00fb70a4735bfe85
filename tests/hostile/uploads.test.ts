// Files that were made to break the service. Each is answered with its own code, what is wrong and
// where, in seconds; and when all of them are through, the service still does its work.
import type { Problem } from '@pare/contracts'
import { float32Array, npz } from '@pare/datasets/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { HOSTILE_DATASETS } from './hostile-datasets.js'
import {
  endlessLoop,
  expandToMemory,
  HOSTILE_MODELS,
  type HostileFile,
  loopByData,
} from './hostile-models.js'
import { datasetFile, modelFile } from './sound-files.js'
import { type Kind, Stack, type Uploaded } from './stack.js'

let stack: Stack
/** All are sent at once: the hostile ones stand beside each other in the queue. */
const settled = new Map<HostileFile, Promise<Uploaded>>()

beforeAll(async () => {
  stack = await Stack.start()
  const send = (kind: Kind, files: readonly HostileFile[]) => {
    for (const hostile of files) {
      const upload = stack.settle(kind, hostile.file(), hostile.query)
      upload.catch(() => undefined)
      settled.set(hostile, upload)
    }
  }
  send('models', HOSTILE_MODELS)
  send('datasets', HOSTILE_DATASETS)
})
afterAll(() => stack.close())

/** What every rejection has in common. */
async function expectProblem({ error }: { readonly error: Problem | null }, expected: object) {
  expect(error).toMatchObject(expected)
  expect(error?.type).toBe(`/errors/${error?.code}`)
  expect(error?.detail).not.toMatch(/\/tmp\/|node_modules|at .*\.js:\d/)
  expect((await stack.send(error?.type ?? '')).status).toBe(200)
}

async function expectRejected(hostile: HostileFile, fault: 'model' | 'data') {
  const upload = await settled.get(hostile)!
  const { code, says } = hostile
  const detail = expect.stringMatching(says) as string
  await expectProblem(upload, { code, fault, retryable: false, detail })
  expect(upload.state).toBe('rejected')
}

describe('a model is rejected when it is', () => {
  it.each(HOSTILE_MODELS)('$what: $code', (hostile) => expectRejected(hostile, 'model'))

  it('a loop without end, after the time that an inspection has', async () => {
    const upload = await stack.settle('models', endlessLoop())
    await expectProblem(upload, {
      code: 'stage_timed_out',
      fault: 'model',
      detail: expect.stringContaining('"inspect"') as string,
    })
  })

  it('an operator that fills the memory, when it reaches the limit', async () => {
    const upload = await stack.settle('models', expandToMemory())
    await expectProblem(upload, {
      code: 'engine_memory_exceeded',
      fault: 'model',
      detail: expect.stringContaining('"inspect"') as string,
    })
  })
})

describe('a dataset is rejected when it is', () => {
  it.each(HOSTILE_DATASETS)('$what: $code', (hostile) => expectRejected(hostile, 'data'))
})

describe('a job fails, and says so,', () => {
  it('when data drives its model into a loop without end', async () => {
    const model = await stack.ready('models', loopByData())
    const dataset = await stack.ready('datasets', npz({ x: float32Array([2, 1], [1, 2]) }))
    const job = await stack.finish({
      model,
      datasets: { calibration: dataset },
      recipe: { steps: [{ type: 'quantize_static' }] },
      limits: { max_run_seconds: 3 },
    })
    expect(job.state).toBe('failed')
    await expectProblem(job, {
      code: 'run_deadline_passed',
      fault: 'client',
      detail: expect.stringContaining('max_run_seconds') as string,
    })
  })
})

describe('after all that', () => {
  it.each([
    ['any', 'n'],
    ['a fixed', 5],
  ])('a model for %s batch size is compressed on the same stack', async (_, batch) => {
    const model = await stack.ready('models', modelFile(batch))
    const dataset = await stack.ready('datasets', datasetFile())
    const job = await stack.finish({
      model,
      datasets: { calibration: dataset },
      recipe: { steps: [{ type: 'quantize_static' }] },
      evaluation: { metric: 'top1' },
    })
    expect([job.state, job.error]).toEqual(['succeeded', null])
    const report = await stack.get<{ evaluation: { samples: number } }>(`/v1/jobs/${job.id}/report`)
    expect(report.evaluation.samples).toBe(24)
  })
})
