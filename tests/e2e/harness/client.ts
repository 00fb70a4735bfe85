// A customer's client: plain fetch, every answer that is not 2xx an error.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import type {
  Artifact,
  Dataset,
  Job,
  JobEvent,
  Model,
  Stage,
  WebhookEndpoint,
} from '@pare/contracts'

import { type Limits, until } from './until.js'

const examples = new URL('../../../examples/', import.meta.url)

export type ExampleFile = 'fashion-resnet.onnx' | 'fashion-calibration.npz'

export interface Page<Item> {
  readonly data: readonly Item[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

export interface Report {
  readonly stages: readonly { readonly name: string; readonly from_cache: boolean }[]
  readonly [part: string]: unknown
}

type HeaderFields = Readonly<Record<string, string>>

const TERMINAL: readonly string[] = ['succeeded', 'failed', 'canceled', 'expired']

export class Client {
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
  }

  /** Any answer, also a refusal. */
  send(
    path: string,
    init: Omit<RequestInit, 'headers'> & { readonly headers?: HeaderFields } = {},
  ): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#key}`, ...init.headers }
    return fetch(new URL(path, this.#url), { ...init, headers })
  }

  async get<Body>(path: string): Promise<Body> {
    return this.#read(path, await this.send(path))
  }

  async post<Body>(path: string, body: unknown = {}, headers: HeaderFields = {}): Promise<Body> {
    return this.#read(path, await this.sendJson(path, body, headers))
  }

  sendJson(path: string, body: unknown, headers: HeaderFields = {}): Promise<Response> {
    return this.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  }

  async upload(kind: 'models' | 'datasets', file: ExampleFile): Promise<Model | Dataset> {
    const path = `/v1/${kind}?name=${file}`
    const response = await this.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(await readFile(fileURLToPath(new URL(file, examples)))),
    })
    return this.#read(path, response)
  }

  /** Uploads a file and waits until a worker has looked at it. */
  async uploadReady(kind: 'models' | 'datasets', file: ExampleFile): Promise<string> {
    const { id } = await this.upload(kind, file)
    await this.untilReady(kind, id)
    return id
  }

  untilReady(kind: 'models' | 'datasets', id: string): Promise<true> {
    return until(
      `${id} to be ready`,
      async () => {
        const { state, error } = await this.get<Model>(`/v1/${kind}/${id}`)
        if (state === 'rejected') throw new Error(`${id} is rejected: ${JSON.stringify(error)}`)
        return state === 'ready' ? true : null
      },
      { everyMs: 50 },
    )
  }

  job(id: string): Promise<Job> {
    return this.get(`/v1/jobs/${id}`)
  }

  /** The job in a terminal state. */
  untilEnded(id: string, limits: Limits = {}): Promise<Job> {
    return until(
      `${id} to end`,
      async () => {
        const job = await this.job(id)
        return TERMINAL.includes(job.state) ? job : null
      },
      { everyMs: 50, ...limits },
    )
  }

  async stages(id: string): Promise<readonly Stage[]> {
    return (await this.get<Page<Stage>>(`/v1/jobs/${id}/stages`)).data
  }

  async artifacts(id: string): Promise<readonly Artifact[]> {
    return (await this.get<Page<Artifact>>(`/v1/jobs/${id}/artifacts`)).data
  }

  async events(id: string): Promise<readonly JobEvent[]> {
    const events: JobEvent[] = []
    for (let after = 0; ; after = events.at(-1)?.seq ?? 0) {
      const page = await this.get<Page<JobEvent>>(`/v1/jobs/${id}/events?limit=200&after=${after}`)
      events.push(...page.data)
      if (!page.has_more) return events
    }
  }

  /** The events of a job as a stream, from behind `after` to the end of the job. */
  async streamEvents(id: string, after: number): Promise<readonly JobEvent[]> {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(after) }
    const text = await (await this.send(`/v1/jobs/${id}/events`, { headers })).text()
    return [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data ?? '') as JobEvent,
    )
  }

  report(id: string): Promise<Report> {
    return this.get(`/v1/jobs/${id}/report`)
  }

  /** The content of an artifact, after its hash was checked. */
  async download({ id, sha256 }: Artifact): Promise<Uint8Array> {
    const response = await this.send(`/v1/artifacts/${id}/content`)
    const bytes = new Uint8Array(await response.arrayBuffer())
    const actual = createHash('sha256').update(bytes).digest('hex')
    if (actual !== sha256) throw new Error(`${id} has the hash ${actual}, not ${sha256}`)
    return bytes
  }

  createEndpoint(url: string): Promise<WebhookEndpoint & { readonly secret: string }> {
    return this.post('/v1/webhook-endpoints', { url })
  }

  async #read<Body>(path: string, response: Response): Promise<Body> {
    const text = await response.text()
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`)
    return JSON.parse(text) as Body
  }
}
