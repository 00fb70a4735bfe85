import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { STAGE_KINDS } from '@pare/compression'
import {
  createWebhookEndpoint,
  datasets,
  ensureProject,
  getStage,
  listArtifacts,
  models,
  type Stage,
  withTransaction,
} from '@pare/database'
import type { PlannedStage } from '@pare/recipe'
import { generateWebhookSecret } from '@pare/webhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { until, WorkerBench } from './worker-bench.js'

const TEST_WORKER = fileURLToPath(new URL('./worker-process.mjs', import.meta.url))

/** Kinds of the stages of a job, in an order in which a plan may have them. */
const JOB_KINDS = STAGE_KINDS.filter((kind) => !kind.startsWith('inspect_'))

// Starting a process for each kind takes its time on a busy machine.
describe('a worker killed in the middle of a stage', { timeout: 180_000 }, () => {
  let bench: WorkerBench
  const workers = new Map<number, ChildProcess>()
  beforeAll(async () => {
    bench = await WorkerBench.open()
    await Promise.all([startWorker(), startWorker()])
  })
  afterAll(async () => {
    for (const worker of workers.values()) worker.kill('SIGKILL')
    await bench.close()
  })

  const startWorker = async (): Promise<void> => {
    const worker = spawn(process.execPath, [TEST_WORKER], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: bench.database.url,
        STORAGE_URL: pathToFileURL(bench.path('store')).href,
        PARE_DATA_DIR: bench.folder,
        PARE_WORKER_CONCURRENCY: '1',
        PARE_LOG_LEVEL: 'silent',
        WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    workers.set(worker.pid ?? 0, worker)
    await once(worker, 'message')
  }

  /** Kills the worker that runs the stage now, and starts another in its place. */
  const killHolderOf = async (stageId: string): Promise<void> => {
    const stage = await running(stageId, 1)
    const pid = Number(stage.worker?.split(':').at(-2))
    workers.get(pid)?.kill('SIGKILL')
    workers.delete(pid)
    await startWorker()
    await running(stageId, 2)
  }

  const running = (stageId: string, attempt: number): Promise<Stage> =>
    until(async () => {
      const stage = await getStage(bench.database.pool, stageId)
      const isThere = stage?.state === 'running' && stage.attempt === attempt
      return isThere && stage.progress !== null ? stage : null
    })

  it('of any kind of a job loses nothing: each stage ends once, and so does the job', async () => {
    const { pool } = bench.database
    const heard: string[] = []
    const sink = createServer((request, response) => {
      heard.push(String(request.headers['webhook-id']))
      response.writeHead(204).end()
    })
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
    const project = await ensureProject(pool, 'test')
    await createWebhookEndpoint(pool, {
      projectId: project.id,
      url: `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`,
      secret: generateWebhookSecret(),
      events: ['job.succeeded'],
    })

    const test = await bench.submit(JOB_KINDS.map(waitingStage))
    for (const kind of JOB_KINDS) {
      await killHolderOf((await bench.stage(test, kind)).id)
      await writeFile(bench.path(kind), 'go')
    }
    expect((await bench.ended(test)).state).toBe('succeeded')

    const attempts = (await bench.stages(test)).map(({ kind, attempt }) => [kind, attempt])
    expect(attempts).toEqual(JOB_KINDS.map((kind) => [kind, 2]))
    const types = await bench.eventTypes(test)
    expect(types.filter((type) => type === 'job.succeeded')).toHaveLength(1)
    expect(types.filter((type) => type === 'stage.succeeded')).toHaveLength(JOB_KINDS.length)
    expect(await listArtifacts(pool, test.job.id)).toHaveLength(1)
    await until(() => Promise.resolve(heard.length > 0 ? true : null))
    expect(new Set(heard).size).toBe(1)
    sink.close()
  })

  it.each(['inspect_model', 'inspect_dataset'] as const)('of kind %s too', async (kind) => {
    const { pool } = bench.database
    const { id: projectId } = await ensureProject(pool, 'test')
    const uploads = kind === 'inspect_model' ? models : datasets
    const params = { action: 'wait', file: bench.path(kind), roles: ['canonical'] }
    const sha256 = await bench.put(kind)
    const created = await withTransaction(pool, (tx) =>
      uploads.create(tx, {
        ...{ projectId, name: kind, sha256, sizeBytes: 1, mediaType: 'text/plain' },
        inspection: { kind, params, engineVersion: 'test' },
      }),
    )
    const { rows } = await pool.query<{ id: string }>(
      'SELECT id FROM stage WHERE kind = $1 AND params = $2',
      [kind, JSON.stringify(params)],
    )
    await killHolderOf(rows[0]!.id)
    await writeFile(bench.path(kind), 'go')
    await until(async () => {
      const upload = await uploads.get(pool, { projectId, id: created.upload.id })
      return upload?.state === 'ready' ? true : null
    })
  })

  const waitingStage = (kind: string, index: number): PlannedStage => ({
    name: kind,
    kind,
    params: { action: 'wait', file: bench.path(kind) },
    inputs:
      index === 0 ? [] : [{ role: 'model', from: { stage: JOB_KINDS[index - 1]!, role: 'model' } }],
  })
})
