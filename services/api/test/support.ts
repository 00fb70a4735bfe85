// The API as it runs, on a database, queue and store of its own; two projects that must not see
// each other.
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import type { Scope } from '@pare/contracts'
import {
  claimStage,
  completeStage,
  createApiKey,
  datasets,
  type Doorbell as Ring,
  ensureProject,
  failStage,
  models,
  type Pool,
  type StageOutputs,
  withTransaction,
} from '@pare/database'
import { createTestDatabase } from '@pare/database/testing'
import type { SerializedError } from '@pare/errors'
import { createLogger, createMetrics } from '@pare/observability'
import { type Doorbell, openDoorbell } from '@pare/queue'
import type { JsonObject } from '@pare/recipe'
import { type BlobStore, openBlobStore } from '@pare/storage'
import type { FastifyInstance } from 'fastify'
import supertest from 'supertest'

import {
  type ApiDeps,
  type ApiSettings,
  buildApp,
  createCursors,
  DEFAULT_SETTINGS,
  newApiKey,
  openEventHub,
} from '../src/index.js'
import { storedParts } from '../src/use-cases/create-api-key.js'

export interface Tenant {
  readonly projectId: string
  readonly key: string
}

export interface TestApi {
  readonly app: FastifyInstance
  readonly deps: ApiDeps
  readonly pool: Pool
  readonly store: BlobStore
  readonly doorbell: Doorbell
  readonly url: string
  readonly alice: Tenant
  readonly bob: Tenant
  readonly client: (tenant?: Tenant) => Client
  readonly close: () => Promise<void>
}

export type Client = ReturnType<typeof clientOf>

export async function startTestApi(settings: Partial<ApiSettings> = {}): Promise<TestApi> {
  const database = await createTestDatabase()
  const dir = await mkdtemp(join(tmpdir(), 'pare-api-'))
  const store = await openBlobStore(pathToFileURL(dir).href)
  const doorbell = await openDoorbell(database.url)
  const events = await openEventHub({ connectionString: database.url })
  const deps: ApiDeps = {
    ...{ pool: database.pool, store, doorbell, events },
    cursors: createCursors('a secret of the test'),
    metrics: createMetrics(),
    logger: createLogger({ service: 'api', level: 'silent' }),
    settings: { ...DEFAULT_SETTINGS, ...settings },
  }
  const app = await buildApp(deps)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const alice = await createTenant(database.pool, 'alice')
  const bob = await createTenant(database.pool, 'bob')
  return {
    ...{ app, deps, pool: database.pool, store, doorbell, alice, bob },
    url: `http://127.0.0.1:${port}`,
    client: (tenant = alice) => clientOf(app, tenant),
    close: async () => {
      await app.close()
      await doorbell.close()
      await events.close()
      await store.close()
      await database.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function clientOf(app: FastifyInstance, { key }: Tenant) {
  return supertest.agent(app.server).set('authorization', `Bearer ${key}`)
}

async function createTenant(pool: Pool, name: string): Promise<Tenant> {
  const project = await ensureProject(pool, name)
  return { projectId: project.id, key: await createKey(pool, project.id, ['admin']) }
}

export async function createKey(
  pool: Pool,
  projectId: string,
  scopes: readonly Scope[],
): Promise<string> {
  const key = newApiKey()
  await createApiKey(pool, { projectId, name: 'test', scopes, ...storedParts(key) })
  return key
}

export const MODEL_DESCRIPTION = {
  inputs: [{ name: 'x', data_type: 'float32', shape: ['batch', 4] }],
  outputs: [{ name: 'y', data_type: 'float32', shape: ['batch', 3] }],
  ir_version: 10,
  opset_imports: [{ domain: '', version: 21 }],
  producer: 'test',
  parameters: 15,
  nodes: 1,
  op_types: { Gemm: 1 },
  size_bytes: 200,
  trial_run: { ok: true, detail: 'ran' },
}

export const DATASET_DESCRIPTION = {
  arrays: [
    { name: 'x', dataType: 'float32', dims: [20, 4] },
    { name: 'label', dataType: 'int64', dims: [20] },
  ],
  samples: 20,
  labels: { kind: 'classes', name: 'label', min: 0, max: 2 },
  checks: [],
}

/** Plays the worker for the inspection of an upload. */
export async function inspect(
  pool: Pool,
  id: string,
  end: { readonly metrics: object } | { readonly error: SerializedError },
): Promise<void> {
  const uploads = id.startsWith('mdl_') ? models : datasets
  const stage = await uploads.inspection(pool, id)
  if (stage === null) throw new Error(`nothing inspects ${id}`)
  await endStage(pool, stage.id, end)
}

export async function endStage(
  pool: Pool,
  stageId: string,
  end:
    | { readonly metrics: object; readonly outputs?: StageOutputs }
    | { readonly error: SerializedError },
): Promise<readonly Ring[]> {
  const request = { stageId, workerId: 'test', leaseMs: 60_000 }
  const claimed = await withTransaction(pool, (tx) => claimStage(tx, request))
  if (claimed.outcome !== 'claimed') throw new Error(`the claim is ${claimed.outcome}`)
  const { token } = claimed.claim
  const ended = await withTransaction(pool, (tx) =>
    'error' in end
      ? failStage(tx, { stageId, token, error: end.error })
      : completeStage(tx, {
          ...{ stageId, token, outputs: end.outputs ?? {} },
          metrics: end.metrics as JsonObject,
        }),
  )
  return ended.ready
}

/** A model and a dataset that fit each other, both ready. */
export async function uploadPair(api: TestApi, tenant = api.alice) {
  const client = api.client(tenant)
  const serial = Math.random().toString(36)
  const model = await client.post('/v1/models?name=net').send(Buffer.from(`model ${serial}`))
  const dataset = await client.post('/v1/datasets').send(Buffer.from(`data ${serial}`))
  const ids = { model: idIn(model), dataset: idIn(dataset) }
  await inspect(api.pool, ids.model, { metrics: MODEL_DESCRIPTION })
  await inspect(api.pool, ids.dataset, { metrics: DATASET_DESCRIPTION })
  return ids
}

export function idIn(response: supertest.Response): string {
  return (response.body as { id: string }).id
}

export function jobBody({ model, dataset }: { readonly model: string; readonly dataset: string }) {
  return {
    model,
    datasets: { calibration: dataset },
    recipe: { steps: [{ type: 'quantize_static' }] },
  }
}

/** supertest leaves the type of a body open. */
export function bodyOf({ body }: { readonly body: unknown }): unknown {
  return body
}
