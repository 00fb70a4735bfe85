// Pare as it is deployed: several API and worker processes that share only the three URLs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { newApiKey } from '@pare/api'
import { createApiKey, ensureProject } from '@pare/database'
import { createTestDatabase, type TestDatabase } from '@pare/database/testing'
import { type BlobStore, openBlobStore, type S3Credentials } from '@pare/storage'

import { Client } from './client.js'
import { descendantsOf, untilGone } from './process-tree.js'
import { ServiceProcess } from './service-process.js'
import { sha256Of } from './sha256.js'
import { until } from './until.js'
import { startWebhookSink, type WebhookSink } from './webhook-sink.js'

export interface ClusterOptions {
  readonly apis?: number
  readonly workers?: number
  /** Default: the database. */
  readonly queueUrl?: string
  /** Default: a folder. */
  readonly storage?: { readonly url: string; readonly credentials: S3Credentials }
  /** Further settings of every process. */
  readonly env?: Readonly<Record<string, string>>
}

export interface ApiProcess {
  readonly process: ServiceProcess
  readonly url: string
}

/** A project of its own: nothing of it is in another one's cache. */
export interface Tenant {
  readonly projectId: string
  readonly key: string
  readonly client: Client
}

/** Short enough to test what follows a death, long enough for a busy machine to beat in time. */
const LEASE_SECONDS = 3

export class Cluster {
  readonly database: TestDatabase
  readonly folder: string
  readonly store: BlobStore
  readonly sink: WebhookSink
  readonly apis: ApiProcess[] = []
  readonly workers: ServiceProcess[] = []
  readonly #env: Readonly<Record<string, string>>
  #tenants = 0

  private constructor(parts: {
    readonly database: TestDatabase
    readonly folder: string
    readonly store: BlobStore
    readonly sink: WebhookSink
    readonly env: Readonly<Record<string, string>>
  }) {
    this.database = parts.database
    this.folder = parts.folder
    this.store = parts.store
    this.sink = parts.sink
    this.#env = parts.env
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const { apis = 1, workers = 2, queueUrl, storage } = options
    const database = await createTestDatabase()
    const folder = await mkdtemp(join(tmpdir(), 'pare-e2e-'))
    const storageUrl = storage?.url ?? pathToFileURL(join(folder, 'store')).href
    const spoolRoot = join(folder, 'spool')
    const env = {
      DATABASE_URL: database.url,
      STORAGE_URL: storageUrl,
      ...(queueUrl === undefined ? {} : { QUEUE_URL: queueUrl }),
      ...(storage === undefined ? {} : credentialsEnv(storage.credentials)),
      // S3 uploads are spooled below the temporary folder: here, where leftovers can be seen.
      TMPDIR: folder,
      PARE_DATA_DIR: folder,
      PARE_LEASE_SECONDS: String(LEASE_SECONDS),
      PARE_WORKER_CONCURRENCY: '1',
      PARE_WORKER_THREADS: '1',
      WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
      ...options.env,
    }
    const credentials = storage === undefined ? {} : { credentials: storage.credentials, spoolRoot }
    const store = await openBlobStore(storageUrl, credentials)
    const sink = await startWebhookSink()
    const cluster = new Cluster({ database, folder, store, sink, env })
    await Promise.all([
      ...Array.from({ length: apis }, () => cluster.startApi()),
      ...Array.from({ length: workers }, () => cluster.startWorker()),
    ])
    return cluster
  }

  async startApi(): Promise<ApiProcess> {
    const env = { ...this.#env, PARE_PORT: '0' }
    const process = ServiceProcess.start({ service: 'api', env })
    const api = { process, url: String((await process.untilSaid('api listens'))['url']) }
    this.apis.push(api)
    return api
  }

  async startWorker(): Promise<ServiceProcess> {
    const worker = ServiceProcess.start({ service: 'worker', env: this.#env })
    this.workers.push(worker)
    await worker.untilSaid('worker started')
    return worker
  }

  get api(): ApiProcess {
    const api = this.apis.find(({ process }) => process.isRunning)
    if (api === undefined) throw new Error('no API process runs')
    return api
  }

  /** A new project with a key and a webhook endpoint that the sink trusts. */
  async tenant(): Promise<Tenant> {
    const { pool } = this.database
    const { id: projectId } = await ensureProject(pool, `project ${++this.#tenants}`)
    const key = newApiKey()
    const stored = { prefix: key.slice(0, 11), hash: sha256Of(key), scopes: ['admin'] as const }
    await createApiKey(pool, { projectId, name: 'test', ...stored })
    const client = new Client(this.api.url, key)
    const endpoint = await client.createEndpoint(this.sink.url)
    this.sink.trust(endpoint.secret)
    return { projectId, key, client }
  }

  /** The worker process named in a stage's row as `host:pid:nonce`. */
  holderOf(worker: string): ServiceProcess {
    const pid = Number(worker.split(':')[1])
    const holder = this.workers.find((candidate) => candidate.pid === pid)
    if (holder === undefined) throw new Error(`no worker process here is ${worker}`)
    return holder
  }

  /** Kills a worker and starts another one at once; resolves when its engines are gone as well. */
  async replaceWorker(worker: ServiceProcess): Promise<void> {
    const family = await descendantsOf(worker.pid)
    await worker.kill()
    this.workers.splice(this.workers.indexOf(worker), 1)
    // An engine that was just born has to come up before it sees that its worker is gone, and engines
    // run at a low priority: on a machine with much else to do that takes its time.
    await Promise.all([this.startWorker(), untilGone(family, { limitMs: 60_000 })])
  }

  /** Waits until a stage of this kind runs; answers the worker that has it. */
  untilRuns(projectId: string, kind: string): Promise<ServiceProcess> {
    return until(
      `a stage ${kind} to run`,
      async () => {
        const { rows } = await this.database.pool.query<{ worker: string }>(
          `SELECT worker FROM stage WHERE project_id = $1 AND kind = $2 AND state = 'running'`,
          [projectId, kind],
        )
        return rows[0] === undefined ? null : this.holderOf(rows[0].worker)
      },
      { everyMs: 3 },
    )
  }

  /** Stops every process in good order; answers their exit codes. */
  async stopServices(): Promise<readonly (number | null)[]> {
    const running = [...this.workers, ...this.apis.map(({ process }) => process)].filter(
      ({ isRunning }) => isRunning,
    )
    const families = await Promise.all(running.map(({ pid }) => descendantsOf(pid)))
    const ends = await Promise.all(running.map((process) => process.stop()))
    await untilGone(families.flat())
    return ends.map(({ code }) => code)
  }

  async close(): Promise<void> {
    await this.stopServices()
    await this.sink.stop()
    await this.store.close()
    await this.database.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

function credentialsEnv({ accessKeyId, secretAccessKey }: S3Credentials) {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
}
