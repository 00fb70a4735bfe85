import { fileURLToPath } from 'node:url'

import { getJobStatus } from '@pare/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { availableSurroundings, isAlive, oneStage, until, WorkerBench } from './worker-bench.js'

describe.each(availableSurroundings)('a worker, with %s', (surroundings) => {
  let bench: WorkerBench
  beforeAll(async () => {
    bench = await WorkerBench.open(surroundings)
    await bench.startWorker()
  })
  afterAll(() => bench.close())

  it('runs a job stage after stage and keeps its artifact', async () => {
    const sha256 = await bench.put('weights')
    const test = await bench.submit([
      {
        name: 'first',
        kind: 'prepare',
        params: {},
        inputs: [{ role: 'upload', from: { blob: sha256 } }],
      },
      {
        name: 'second',
        kind: 'evaluate',
        params: { note: 'b' },
        inputs: [{ role: 'model', from: { stage: 'first', role: 'model' } }],
      },
    ])
    const job = await bench.ended(test)
    expect(job.state).toBe('succeeded')
    const second = await bench.stage(test, 'second')
    const output = await bench.store.get(second.outputs!['model']!.sha256)
    const content = Buffer.concat(await output.toArray()).toString()
    expect(content).toContain('weights')
    expect(content).toContain('"seed":7')
  })

  it('hands over inputs whose roles are no names of files', async () => {
    const texts = ['one', 'two', 'three']
    const roles = ['decisions/2/1-prune_weights', '../evaluation', 'data']
    const inputs = await Promise.all(
      roles.map(async (role, i) => ({ role, from: { blob: await bench.put(texts[i] ?? '') } })),
    )
    const test = await bench.submit([{ name: 'a', kind: 'report', params: {}, inputs }])
    expect((await bench.ended(test)).state).toBe('succeeded')
    const { outputs } = await bench.stage(test, 'a')
    const content = Buffer.concat(
      await (await bench.store.get(outputs!['model']!.sha256)).toArray(),
    ).toString()
    expect(JSON.parse(content)).toMatchObject({ texts })
  })

  it('gives an engine no environment, an empty current folder, and one process per stage', async () => {
    const test = await bench.submit([
      { name: 'a', kind: 'prepare', params: { n: 1 }, inputs: [] },
      { name: 'b', kind: 'evaluate', params: { n: 2 }, inputs: [] },
    ])
    await bench.ended(test)
    const metrics = (await bench.stages(test)).map((stage) => stage.metrics)
    for (const { env, cwd } of metrics as { env: string[]; cwd: string[] }[]) {
      expect(env).toEqual([])
      expect(cwd).toEqual([])
    }
    const pids = metrics.map((metric) => metric!['pid'] as number)
    expect(new Set(pids).size).toBe(2)
    expect(pids.some((pid) => isAlive(pid))).toBe(false)
  })

  it('passes a typed error on, with nothing in it that PostgreSQL cannot keep', async () => {
    const job = await bench.ended(await bench.submit(oneStage('reject')))
    expect(job.state).toBe('failed')
    expect(job.error).toMatchObject({
      code: 'test_model_bad',
      fault: 'model',
      details: { node: 'n\u{fffd}ode', half: '\u{fffd}' },
    })
  })

  it('hides the text of an unexpected error', async () => {
    const job = await bench.ended(await bench.submit(oneStage('bug')))
    expect(job.error).toMatchObject({ code: 'stage_failed_unexpectedly', fault: 'internal' })
    expect(JSON.stringify(job.error)).not.toContain('secret path')
  })

  it('keeps the outputs of a stage whose constraint was not met', async () => {
    const test = await bench.submit(oneStage('constraint'))
    const job = await bench.ended(test)
    expect(job).toMatchObject({ state: 'failed', error: { code: 'test_model_bad' } })
    const stage = await bench.stage(test, 'work')
    expect(await bench.store.stat(stage.outputs!['model']!.sha256)).not.toBeNull()
  })

  it.each(['outside', 'symlink', 'hardlink', 'parent', 'missing'])(
    'refuses an output that is no file of the stage: %s',
    async (action) => {
      const job = await bench.ended(await bench.submit(oneStage(action)))
      expect(job.error?.code).toBe('engine_output_invalid')
    },
  )

  it('refuses an output that is too large', async () => {
    const job = await bench.ended(await bench.submit(oneStage('large', { bytes: 2 ** 20 + 1 })))
    expect(job.error?.code).toBe('engine_output_too_large')
  })

  it('ends an engine that does not keep to the protocol', async () => {
    const test = await bench.submit(oneStage('babble'))
    await until(async () => ((await bench.stage(test, 'work')).faults > 0 ? true : null))
    expect((await bench.stage(test, 'work')).error).toMatchObject({ code: 'engine_crashed' })
    await bench.ended(test)
  })

  it('fails a stage whose input is not in the store', async () => {
    const test = await bench.submit([
      {
        name: 'work',
        kind: 'prepare',
        params: {},
        inputs: [{ role: 'model', from: { blob: '0'.repeat(64) } }],
      },
    ])
    const job = await bench.ended(test)
    expect(job.error?.code).toBe('blob_not_found')
  })

  it('offers the CPU alone when CUDA is wanted and does not really load', async () => {
    const { worker } = await bench.startWorker({ devices: ['cpu', 'cuda'] })
    expect(worker.devices).toEqual(['cpu'])
    await worker.stop()
    const start = bench.startWorker({ devices: ['cuda'] })
    await expect(start).rejects.toMatchObject({ code: 'devices_unusable' })
  })

  it('leaves a stage for CUDA to a worker that offers it, which runs it there', async () => {
    const { pool } = bench.database
    const test = await bench.submit([
      { name: 'first', kind: 'prepare', params: {}, inputs: [] },
      { name: 'second', kind: 'evaluate', params: {}, inputs: [], device: 'cuda' },
    ])
    const waiting = await until(async () => {
      const { projectId } = test
      const status = await getJobStatus(pool, { projectId, id: test.job.id })
      return status?.state === 'running' ? status : null
    })
    expect(waiting).toMatchObject({ waitingFor: 'cuda worker', runDeadlineAt: null })
    const { worker } = await bench.startWorker({
      devices: ['cpu', 'cuda'],
      enginePath: fileURLToPath(new URL('./cuda-engine.mjs', import.meta.url)),
    })
    expect(worker.devices).toEqual(['cpu', 'cuda'])
    await bench.ended(test)
    const second = await bench.stage(test, 'second')
    expect(second).toMatchObject({ metrics: { device: 'cuda' }, faults: 0, attempt: 1 })
    await worker.stop()
  })

  it('leaves only the folder of its warm engine on the disk', async () => {
    await bench.ended(await bench.submit(oneStage('write', { n: 3 })))
    await until(async () => ((await bench.engineFolders()).length <= 1 ? true : null))
  })
})
