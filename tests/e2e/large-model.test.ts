// A model that is kept as an archive because it is too large for one file: over HTTP, with real
// processes, and with a worker killed in the middle. The limit is lowered, so that it is a small one.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { Artifact } from '@pare/contracts'
import { float32Array, npz, zip } from '@pare/datasets/testing'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel, encodeModelWithExternalData, piecesOf } from '@pare/onnx'
import { openModelFile } from '@pare/onnx/bundle'
import { createRandom } from '@pare/tensor'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { Cluster, type Tenant } from './harness/cluster.js'
import { Gates } from './harness/gates.js'
import { findBreaches } from './harness/invariants.js'
import { submit } from './harness/jobs.js'
import { findLeftovers } from './harness/leftovers.js'
import { sha256Of } from './harness/sha256.js'

const WIDTH = 256

let cluster: Cluster
let gates: Gates
let tenant: Tenant
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-e2e-large-'))
  cluster = await Cluster.start({ apis: 1, workers: 1, env: { PARE_MAX_ONNX_BYTES: '65536' } })
  gates = await Gates.build(cluster.database.pool)
  tenant = await cluster.tenant()
})
afterAll(async () => {
  await gates.dispose()
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

/** Normalization, two layers, and their input added to them, as an archive that somebody made. */
function archive(): Uint8Array {
  const { normal } = createRandom(3)
  const matrix = (length: number) => Float32Array.from({ length }, () => normal() / 16)
  const network = model({ opset: 17 })
    .input('x', 'float32', ['n', WIDTH])
    .floats('scale', [WIDTH], new Float32Array(WIDTH).fill(1))
    .floats('up', [WIDTH, 2 * WIDTH], matrix(2 * WIDTH * WIDTH))
    .floats('down', [2 * WIDTH, WIDTH], matrix(2 * WIDTH * WIDTH))
    .node('LayerNormalization', ['x', 'scale'], ['norm'])
    .node('MatMul', ['norm', 'up'], ['wide'])
    .node('Relu', ['wide'], ['active'])
    .node('MatMul', ['active', 'down'], ['back'])
    .node('Add', ['x', 'back'], ['y'])
    .output('y', 'float32', ['n', WIDTH])
    .build()
  const { model: graph, data } = encodeModelWithExternalData(network, 'network.onnx.data')
  return zip([
    { name: 'network/network.onnx', content: Buffer.concat(graph) },
    {
      name: 'network/network.onnx.data',
      content: Buffer.concat([...piecesOf(data)]),
      compressed: true,
    },
  ])
}

function samples(): Uint8Array {
  const { normal } = createRandom(5)
  return npz({ x: float32Array([16, WIDTH], Float32Array.from({ length: 16 * WIDTH }, normal)) })
}

async function upload(kind: 'models' | 'datasets', bytes: Uint8Array): Promise<string> {
  const { client } = tenant
  const response = await client.send(`/v1/${kind}?name=large`, {
    method: 'POST',
    body: new Uint8Array(bytes),
  })
  const { id } = (await response.json()) as { readonly id: string }
  await client.untilReady(kind, id)
  return id
}

/** The result as it is delivered, in a folder of its own. */
async function download({ id, name, sha256 }: Artifact): Promise<string> {
  const response = await tenant.client.send(`/v1/artifacts/${id}/content`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  expect(sha256Of(bytes)).toBe(sha256)
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

it('a model kept as an archive goes all the way although its worker is killed in the middle', async () => {
  const { client } = tenant
  const [id, dataset] = [await upload('models', archive()), await upload('datasets', samples())]
  const kinds = ['quantize_weights', 'evaluate']
  for (const kind of kinds) await gates.close(`stage_result ${kind}`)
  const job = await submit(client, {
    ...{ model: id, datasets: { calibration: dataset, validation: dataset } },
    recipe: { steps: [{ type: 'quantize_weights', bits: 8 }] },
  })
  for (const kind of kinds) {
    // Its outputs are stored, its result is not.
    const worker = await cluster.untilRuns(tenant.projectId, kind)
    await gates.untilReached(`stage_result ${kind}`)
    await cluster.replaceWorker(worker)
    await gates.open(`stage_result ${kind}`)
  }
  const ended = await client.untilEnded(job.id)
  expect(ended.error).toBeNull()
  expect(ended.state).toBe('succeeded')
  expect(await findBreaches(cluster, tenant)).toEqual([])

  const { data } = await client.get<{ data: readonly Artifact[] }>(`/v1/jobs/${job.id}/artifacts`)
  const artifact = data.find(({ kind }) => kind === 'model')!
  expect(artifact).toMatchObject({ name: 'model.zip', media_type: 'application/zip' })
  const path = await download(artifact)
  const session = await onnxRuntime().createSession(encodeModel(openModelFile(path).model), {
    intraOpThreads: 1,
    externalDataFolder: dirname(path),
  })
  const x = {
    dataType: 'float32',
    dims: [1, WIDTH],
    data: new Float32Array(WIDTH).fill(0.5),
  } as const
  const { y } = await session.run({ x })
  await session.release()
  expect((y!.data as Float32Array).every(Number.isFinite)).toBe(true)
}, 240_000)

it('leaves nothing behind when all has stopped', async () => {
  await cluster.stopServices()
  expect(await findLeftovers(cluster)).toEqual([])
})
