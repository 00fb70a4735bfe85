import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { createTestDatabase, type TestDatabase } from '@pare/database/testing'
import type { PlannedStage } from '@pare/recipe'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { isAlive, until, WorkerBench } from './worker-bench.js'

const TEST_WORKER = fileURLToPath(new URL('./worker-process.mjs', import.meta.url))
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))

describe('a worker process', () => {
  let bench: WorkerBench
  let workers: ChildProcess[]
  // Keeps the server up between the tests, each of which has a database of its own.
  let keeper: TestDatabase
  beforeAll(async () => {
    keeper = await createTestDatabase()
  })
  afterAll(() => keeper.close())
  beforeEach(async () => {
    bench = await WorkerBench.open()
    workers = []
  })
  afterEach(async () => {
    for (const worker of workers) if (worker.exitCode === null) worker.kill('SIGKILL')
    await bench.close()
  })

  const start = async (): Promise<ChildProcess> => {
    const worker = spawn(process.execPath, [TEST_WORKER], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: bench.database.url,
        STORAGE_URL: pathToFileURL(bench.path('store')).href,
        PARE_DATA_DIR: bench.folder,
        PARE_WORKER_CONCURRENCY: '1',
        PARE_LOG_LEVEL: 'silent',
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    workers.push(worker)
    await once(worker, 'message')
    return worker
  }

  const twoStages = (file: string): PlannedStage[] => [
    { name: 'first', kind: 'prepare', params: {}, inputs: [] },
    {
      name: 'second',
      kind: 'evaluate',
      params: { action: 'wait', file },
      inputs: [{ role: 'model', from: { stage: 'first', role: 'model' } }],
    },
  ]

  it('that is killed takes its engine along, and another one finishes the job once', async () => {
    const [first] = await Promise.all([start(), start()])
    const file = bench.path('release')
    const test = await bench.submit(twoStages(file))
    const engine = await bench.pidOf(test, 'second')
    const { worker } = await bench.stage(test, 'second')
    const holder = workers.find(({ pid }) => worker?.includes(`:${pid ?? ''}:`) === true) ?? first
    holder.kill('SIGKILL')
    await until(() => Promise.resolve(isAlive(engine) ? null : true))

    await until(async () => ((await bench.stage(test, 'second')).attempt === 2 ? true : null))
    await writeFile(file, 'go')
    expect((await bench.ended(test)).state).toBe('succeeded')
    expect((await bench.stage(test, 'first')).attempt).toBe(1)
    const types = await bench.eventTypes(test)
    expect(types.filter((type) => type === 'job.succeeded')).toHaveLength(1)
  })

  it('that froze past its lease comes back to nothing: its attempt counts no more', async () => {
    await Promise.all([start(), start()])
    const file = bench.path('release')
    const test = await bench.submit(twoStages(file))
    const engine = await bench.pidOf(test, 'second')
    const { worker } = await bench.stage(test, 'second')
    const holder = workers.find(({ pid }) => worker?.includes(`:${pid ?? ''}:`) === true)
    holder?.kill('SIGSTOP')
    await until(async () => ((await bench.stage(test, 'second')).attempt === 2 ? true : null))
    await bench.pidOf(test, 'second')
    holder?.kill('SIGCONT')
    await until(() => Promise.resolve(isAlive(engine) ? null : true))
    await writeFile(file, 'go')
    expect((await bench.ended(test)).state).toBe('succeeded')
    const types = await bench.eventTypes(test)
    expect(types.filter((type) => type === 'job.succeeded')).toHaveLength(1)
    expect((await bench.stage(test, 'second')).attempt).toBe(2)
  })

  it('that is killed while its engine blocks leaves no process behind', async () => {
    const worker = await start()
    const test = await bench.submit([
      { name: 'work', kind: 'prepare', params: { action: 'spin' }, inputs: [] },
    ])
    const engine = await bench.pidOf(test, 'work')
    worker.kill('SIGKILL')
    await until(() => Promise.resolve(isAlive(engine) ? null : true))
  })

  it('stops in good order on SIGTERM and hands its stage back uncharged', async () => {
    const worker = await start()
    const file = bench.path('release')
    const test = await bench.submit(twoStages(file))
    const engine = await bench.pidOf(test, 'second')
    worker.kill('SIGTERM')
    expect(await once(worker, 'exit')).toEqual([0, null])
    expect(isAlive(engine)).toBe(false)
    expect(await bench.stage(test, 'second')).toMatchObject({ state: 'queued', faults: 0 })
    expect(await bench.engineFolders()).toEqual([])
  })

  it('cleans up after one that was killed', async () => {
    const killed = await start()
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    expect((await bench.engineFolders()).length).toBeGreaterThan(0)
    const next = await start()
    next.kill('SIGTERM')
    await once(next, 'exit')
    expect(await bench.engineFolders()).toEqual([])
  })

  it('does not start without its settings, and names all that are missing', async () => {
    const main = spawn(process.execPath, [MAIN], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
    const output = text(main.stdout)
    expect(await once(main, 'exit')).toEqual([1, null])
    expect(await output).toMatch(/DATABASE_URL[^]*STORAGE_URL/)
  })

  it('serves its metrics, and stops on SIGINT', async () => {
    const main = spawn(process.execPath, [MAIN], {
      env: {
        DATABASE_URL: bench.database.url,
        STORAGE_URL: pathToFileURL(bench.path('store')).href,
        PARE_DATA_DIR: bench.folder,
        PARE_METRICS_PORT: '0',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    workers.push(main)
    let log = ''
    main.stdout.setEncoding('utf8').on('data', (chunk: string) => (log += chunk))
    const url = await until(() => Promise.resolve(/"metricsUrl":"([^"]+)"/.exec(log)?.[1] ?? null))
    const answer = await fetch(`${url}/metrics`)
    expect(await answer.text()).toContain('pare_stages_running')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    main.kill('SIGINT')
    expect(await once(main, 'exit')).toEqual([0, null])
  })
})
