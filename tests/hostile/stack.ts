// One embedded stack with limits small enough to be reached in seconds, and its client.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  type Dataset,
  type Job,
  type Model,
  type Problem,
  TERMINAL_JOB_STATES,
} from '@pare/contracts'
import { readConfig, type RunningStandalone, startStandalone } from '@pare/standalone'

import { until } from '../e2e/harness/until.js'

export type Kind = 'models' | 'datasets'

/** An uploaded file as the API shows it. */
export type Uploaded = Model | Dataset

const LIMITS = {
  PARE_INSPECT_TIMEOUT_SECONDS: '10',
  PARE_ENGINE_MEMORY_MIB: '1024',
  PARE_MAX_UPLOAD_BYTES: String(32 * 2 ** 20),
  PARE_WORKER_THREADS: '1',
  PARE_WORKER_CONCURRENCY: '2',
}

interface Init extends Omit<RequestInit, 'headers'> {
  readonly headers?: Readonly<Record<string, string>>
}

const TERMINAL: readonly string[] = TERMINAL_JOB_STATES

export class Stack {
  readonly url: string
  readonly #key: string
  readonly #close: () => Promise<void>

  private constructor({ url, apiKey, stop }: RunningStandalone, folder: string) {
    this.url = url
    this.#key = apiKey.key
    this.#close = async () => {
      await stop()
      await rm(folder, { recursive: true, force: true })
    }
  }

  static async start(): Promise<Stack> {
    const folder = await mkdtemp(join(tmpdir(), 'pare-hostile-'))
    const env = { ...LIMITS, PARE_PORT: '0', PARE_DATA_DIR: folder, PARE_LOG_LEVEL: 'fatal' }
    return new Stack(await startStandalone(readConfig(env)), folder)
  }

  close(): Promise<void> {
    return this.#close()
  }

  send(path: string, init: Init = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#key}`, ...init.headers }
    return fetch(new URL(path, this.url), { ...init, headers })
  }

  post(path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' }
    return this.send(path, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  async get<Body>(path: string): Promise<Body> {
    const response = await this.send(path)
    if (!response.ok) throw new Error(`${path} answered ${await response.text()}`)
    return (await response.json()) as Body
  }

  /** Sends a file; answers it as accepted, before a worker has looked at it. */
  async create(kind: Kind, bytes: Uint8Array, query = ''): Promise<Uploaded> {
    const response = await this.send(`/v1/${kind}?name=test${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    })
    if (!response.ok) throw new Error(`the upload was answered ${await response.text()}`)
    return (await response.json()) as Uploaded
  }

  /** Sends a file; answers it as ready or rejected. */
  async settle(kind: Kind, bytes: Uint8Array, query = ''): Promise<Uploaded> {
    const { id } = await this.create(kind, bytes, query)
    return until(
      `${id} to be settled`,
      async () => {
        const upload = await this.get<Uploaded>(`/v1/${kind}/${id}`)
        return upload.state === 'validating' ? null : upload
      },
      { everyMs: 50 },
    )
  }

  /** Sends a file that must be accepted; answers its id. */
  async ready(kind: Kind, bytes: Uint8Array, query = ''): Promise<string> {
    const { id, state, error } = await this.settle(kind, bytes, query)
    if (state !== 'ready') throw new Error(`${kind} was rejected: ${JSON.stringify(error)}`)
    return id
  }

  /** Submits a job that must be accepted; answers it in its last state. */
  async finish(body: object): Promise<Job> {
    const response = await this.post('/v1/jobs', body)
    if (!response.ok) throw new Error(`the job was refused: ${await response.text()}`)
    const { id } = (await response.json()) as Job
    return until(
      `${id} to end`,
      async () => {
        const job = await this.get<Job>(`/v1/jobs/${id}`)
        return TERMINAL.includes(job.state) ? job : null
      },
      { everyMs: 50 },
    )
  }
}

/** The problem document of a refusal. */
export async function problemOf(response: Response): Promise<Problem> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('application/problem+json')) {
    throw new Error(`${response.status} is answered with ${type}: ${await response.text()}`)
  }
  return (await response.json()) as Problem
}
