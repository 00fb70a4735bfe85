// A bench of workers for tests: embedded PostgreSQL, a folder store, real engine processes.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'

import {
  acceptJob,
  type Doorbell as ReadyStage,
  ensureProject,
  getJob,
  type Job,
  listEvents,
  listStages,
  models,
  type NewJob,
  type Stage,
  withTransaction,
} from '@pare/database'
import { createTestDatabase, type TestDatabase } from '@pare/database/testing'
import { createLogger, createMetrics, type Metrics } from '@pare/observability'
import { type Doorbell, openDoorbell } from '@pare/queue'
import { isRedisInstalled, startTestRedis } from '@pare/queue/testing'
import type { PlannedStage } from '@pare/recipe'
import { type BlobStore, openBlobStore } from '@pare/storage'
import { startTestS3 } from '@pare/storage/testing'

import type { RunningWorker, WorkerSettings } from '../src/index.js'
import { startWorker } from '../src/index.js'

const TEST_ENGINE = fileURLToPath(new URL('./test-engine.mjs', import.meta.url))

export interface TestWorker {
  readonly worker: RunningWorker
  readonly metrics: Metrics
}

export interface TestJob {
  readonly job: Job
  readonly projectId: string
}

/** The services around a worker: the embedded ones, or those of a cluster. */
export const SURROUNDINGS = ['PostgreSQL and a folder', 'Redis and S3'] as const

export type Surroundings = (typeof SURROUNDINGS)[number]

/** Without redis-server only the embedded ones, except in CI, where it must be there. */
export const availableSurroundings: readonly Surroundings[] =
  isRedisInstalled() || process.env['CI'] === 'true' ? SURROUNDINGS : [SURROUNDINGS[0]]

interface Services {
  readonly queueUrl: string
  readonly store: BlobStore
  readonly stop: () => Promise<void>
}

async function startServices(
  surroundings: Surroundings,
  { database, folder }: { readonly database: TestDatabase; readonly folder: string },
): Promise<Services> {
  if (surroundings === 'PostgreSQL and a folder') {
    const store = await openBlobStore(pathToFileURL(join(folder, 'store')).href)
    return { queueUrl: database.url, store, stop: () => store.close() }
  }
  const [redis, s3] = await Promise.all([startTestRedis(), startTestS3()])
  const { credentials } = s3
  const store = await openBlobStore(s3.url, { credentials, spoolRoot: join(folder, 'spool') })
  const stop = async (): Promise<void> => {
    await store.close()
    await Promise.all([redis.stop(), s3.stop()])
  }
  return { queueUrl: redis.url, store, stop }
}

export class WorkerBench {
  readonly database: TestDatabase
  readonly folder: string
  readonly store: BlobStore
  readonly #services: Services
  readonly #bell: Doorbell
  readonly #doorbells: Doorbell[] = []
  readonly #workers: RunningWorker[] = []

  private constructor(parts: {
    readonly database: TestDatabase
    readonly folder: string
    readonly services: Services
    readonly bell: Doorbell
  }) {
    this.database = parts.database
    this.folder = parts.folder
    this.store = parts.services.store
    this.#services = parts.services
    this.#bell = parts.bell
    this.#doorbells.push(parts.bell)
  }

  static async open(surroundings: Surroundings = 'PostgreSQL and a folder'): Promise<WorkerBench> {
    const database = await createTestDatabase()
    const folder = await mkdtemp(join(tmpdir(), 'pare-worker-test-'))
    const services = await startServices(surroundings, { database, folder })
    const bell = await openDoorbell(services.queueUrl)
    return new WorkerBench({ database, folder, services, bell })
  }

  get workRoot(): string {
    return join(this.folder, 'work')
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  settings(change: Partial<WorkerSettings> = {}): WorkerSettings {
    return {
      workerId: `test-${this.#workers.length}`,
      concurrency: 2,
      threads: 1,
      devices: ['cpu'],
      workRoot: this.workRoot,
      enginePath: TEST_ENGINE,
      libraryPath: undefined,
      leaseMs: 2000,
      heartbeatMs: 400,
      reconcileMs: 200,
      ringAgainMs: 500,
      stageTimeoutMs: 60_000,
      inspectTimeoutMs: 60_000,
      maxOnnxBytes: 2 ** 31 - 1,
      memoryLimitBytes: 2 ** 30,
      outputLimitBytes: 2 ** 20,
      drainMs: 5000,
      webhookAllowCidrs: ['127.0.0.0/8'],
      ...change,
    }
  }

  async startWorker(change: Partial<WorkerSettings> = {}): Promise<TestWorker> {
    const doorbell = await openDoorbell(this.#services.queueUrl)
    this.#doorbells.push(doorbell)
    const metrics = createMetrics()
    const logger = createLogger({
      service: 'worker',
      level: process.env['PARE_TEST_LOG'] === undefined ? 'silent' : 'debug',
    })
    const worker = await startWorker(
      {
        pool: this.database.pool,
        databaseUrl: this.database.url,
        doorbell,
        store: this.store,
        logger,
        metrics,
      },
      this.settings(change),
    )
    this.#workers.push(worker)
    return { worker, metrics }
  }

  async put(text: string): Promise<string> {
    return (await this.store.put(Readable.from([Buffer.from(text)]))).sha256
  }

  /** Accepts a job of these stages and rings for it, unless the doorbell is to be lost. */
  async submit(
    stages: readonly PlannedStage[],
    options: { readonly ring?: boolean; readonly change?: Partial<NewJob> } = {},
  ): Promise<TestJob> {
    const { pool } = this.database
    const project = await ensureProject(pool, 'test')
    const last = stages.at(-1)?.name ?? ''
    const accepted = await withTransaction(pool, async (tx) => {
      const upload = { projectId: project.id, sizeBytes: 1, mediaType: 'text/plain' }
      const model = await models.create(tx, {
        ...{ ...upload, name: 'model', sha256: await this.put(`model ${Math.random()}`) },
        inspection: { kind: 'inspect_model', params: {}, engineVersion: 'test' },
      })
      // Nobody looks at this upload: the worker is to have nothing to do but the job.
      await tx.query(
        "UPDATE stage SET state = 'canceled', finished_at = now() WHERE model_id = $1",
        [model.upload.id],
      )
      return acceptJob(tx, {
        projectId: project.id,
        modelId: model.upload.id,
        datasetIds: {},
        request: {},
        plan: {
          basis: {},
          engineVersion: 'test',
          isComplete: true,
          expectedStages: stages.length,
          seed: 7,
          stages,
          artifacts: [{ stage: last, role: 'model', kind: 'model', name: 'model.onnx' }],
        },
        ...options.change,
      })
    })
    if (options.ring !== false) await this.ring(accepted.ready)
    return { job: accepted.job, projectId: project.id }
  }

  async ring(ready: readonly ReadyStage[]): Promise<void> {
    for (const { stageId, attempt, delayMs, priority, device } of ready) {
      await this.#bell.ring({ stageId, attempt }, { delayMs, priority, device })
    }
  }

  async job({ job, projectId }: TestJob): Promise<Job> {
    const found = await getJob(this.database.pool, { projectId, id: job.id })
    if (found === null) throw new Error('the job is gone')
    return found
  }

  stages({ job }: TestJob): Promise<readonly Stage[]> {
    return listStages(this.database.pool, job.id)
  }

  async stage(test: TestJob, name: string): Promise<Stage> {
    const stage = (await this.stages(test)).find((candidate) => candidate.name === name)
    if (stage === undefined) throw new Error(`there is no stage ${name}`)
    return stage
  }

  async eventTypes({ job }: TestJob): Promise<readonly string[]> {
    const events = await listEvents(this.database.pool, { jobId: job.id, limit: 1000 })
    return events.map(({ type }) => type)
  }

  /** The job in a terminal state. */
  async ended(test: TestJob): Promise<Job> {
    return until(async () => {
      const job = await this.job(test)
      return job.finishedAt === null ? null : job
    })
  }

  /** The pid that a test stage told in its progress. */
  async pidOf(test: TestJob, name: string): Promise<number> {
    return until(async () => {
      const { progress, state } = await this.stage(test, name)
      const pid = /pid (\d+)/.exec(progress?.message ?? '')?.[1]
      return state === 'running' && pid !== undefined ? Number(pid) : null
    })
  }

  /** Folders of engines on the disk; a warm spare has one too. */
  async engineFolders(): Promise<readonly string[]> {
    const workers = await readdir(this.workRoot).catch(() => [])
    const folders = await Promise.all(workers.map((name) => readdir(join(this.workRoot, name))))
    return folders.flat()
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()))
    await Promise.all(this.#doorbells.map((doorbell) => doorbell.close()))
    await this.#services.stop()
    await this.database.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Polls until there is an answer; the test's own timeout is the limit. */
export async function until<Value>(look: () => Promise<Value | null>): Promise<Value> {
  for (;;) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A plan of one stage that does `action`. */
export function oneStage(
  action: string,
  params: Readonly<Record<string, string | number>> = {},
): PlannedStage[] {
  return [{ name: 'work', kind: 'prepare', params: { action, ...params }, inputs: [] }]
}
