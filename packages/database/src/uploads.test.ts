import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { withTransaction } from './db.js'
import { completeStage, failStage } from './end-stage.js'
import { errors } from './errors.js'
import { checkStage } from './heartbeat.js'
import { ensureProject } from './projects.js'
import { getStage } from './stages.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { claim, outputOf, sha256Of } from './testing-job.js'
import { datasets, models, type NewUpload, type UploadRepository } from './uploads.js'

let db: TestDatabase
let projectId: string
let otherProjectId: string
beforeAll(async () => {
  db = await createTestDatabase()
  projectId = (await ensureProject(db.pool, 'one')).id
  otherProjectId = (await ensureProject(db.pool, 'other')).id
})
afterAll(() => db.close())

let serial = 0
function newUpload(change: Partial<NewUpload> = {}): NewUpload {
  return {
    projectId,
    name: 'upload',
    sha256: sha256Of(`upload ${++serial}`),
    sizeBytes: 5_000_000_000,
    mediaType: 'application/octet-stream',
    inspection: { kind: 'inspect', params: { limit: 1 }, engineVersion: '1' },
    ...change,
  }
}

describe.each<[string, UploadRepository, string]>([
  ['model', models, 'mdl_'],
  ['dataset', datasets, 'dst_'],
])('a %s', (role, repository, prefix) => {
  const create = (upload: NewUpload) =>
    withTransaction(db.pool, (tx) => repository.create(tx, upload))

  test('is validating until its inspection succeeds, then ready with what was found', async () => {
    const upload = newUpload()
    const created = await create(upload)
    const { id } = created.upload
    expect(id.startsWith(prefix)).toBe(true)
    expect(created.upload).toMatchObject({ state: 'validating', sizeBytes: 5_000_000_000 })
    const claimed = await claim(db.pool, created.ready[0]!)
    expect(claimed).toMatchObject({
      inputs: [{ role, sha256: upload.sha256 }],
      runTimeLeftMs: null,
      stage: { kind: 'inspect', jobId: null },
    })
    const canonical = outputOf('canonical form')
    const metrics = { parameters: 12 }
    await withTransaction(db.pool, (tx) =>
      completeStage(tx, { ...claimed, outputs: { canonical }, metrics }),
    )
    expect(await repository.get(db.pool, { projectId, id })).toMatchObject({
      state: 'ready',
      description: metrics,
      canonicalSha256: canonical.sha256,
      canonicalSizeBytes: canonical.sizeBytes,
      reasons: null,
    })
    expect(await repository.inspection(db.pool, id)).toMatchObject({ state: 'succeeded' })
    expect(await repository.get(db.pool, { projectId: otherProjectId, id })).toBeNull()
  })

  test('is rejected with the reasons when its inspection fails', async () => {
    const { upload, ready } = await create(newUpload())
    const claimed = await claim(db.pool, ready[0]!)
    const error = errors.plan_invalid('node 3 is odd').toJSON()
    await withTransaction(db.pool, (tx) => failStage(tx, { ...claimed, error }))
    expect(await repository.get(db.pool, { projectId, id: upload.id })).toMatchObject({
      state: 'rejected',
      reasons: [error],
      description: null,
    })
    const again = await create(newUpload({ sha256: upload.sha256 }))
    expect(again).toMatchObject({ created: true })
    expect(again.upload.id).not.toBe(upload.id)
  })

  test('is the same one for the same bytes, read in the same way, in the same project', async () => {
    const upload = newUpload({ options: { labels: 'y', extra: 'z' } })
    const both = await Promise.all([create(upload), create(upload)])
    expect(new Set(both.map(({ upload: { id } }) => id)).size).toBe(1)
    expect(both.filter(({ created }) => created)).toHaveLength(1)
    const { id } = both[0].upload
    const reordered = { ...upload, options: { extra: 'z', labels: 'y' } }
    expect((await create(reordered)).upload.id).toBe(id)
    expect((await create({ ...upload, options: { labels: 'label' } })).upload.id).not.toBe(id)
    expect((await create({ ...upload, projectId: otherProjectId })).upload.id).not.toBe(id)
    expect(await repository.findByHash(db.pool, upload)).toMatchObject({ id })
  })

  test('deleted stops its inspection and makes room for the bytes', async () => {
    const upload = newUpload()
    const { upload: row, ready } = await create(upload)
    const { id } = row
    const claimed = await claim(db.pool, ready[0]!)
    const remove = (owner: string) =>
      withTransaction(db.pool, (tx) => repository.delete(tx, { projectId: owner, id }))
    expect(await remove(otherProjectId)).toBeNull()
    expect(await checkStage(db.pool, claimed)).toMatchObject({ isCurrent: true })
    expect(await remove(projectId)).toMatchObject({ state: 'deleted' })
    expect(await remove(projectId)).toBeNull()
    expect(await checkStage(db.pool, claimed)).toMatchObject({ isCurrent: false })
    expect(await getStage(db.pool, claimed.stageId)).toMatchObject({ state: 'canceled' })
    expect((await create(upload)).created).toBe(true)
  })

  test('uploaded again after a deletion is ready at once: its inspection is known', async () => {
    const upload = newUpload()
    const first = await create(upload)
    const claimed = await claim(db.pool, first.ready[0]!)
    await withTransaction(db.pool, (tx) =>
      completeStage(tx, { ...claimed, outputs: {}, metrics: { a: 1 } }),
    )
    await withTransaction(db.pool, (tx) => repository.delete(tx, first.upload))
    const second = await create(upload)
    expect(second).toMatchObject({
      created: true,
      ready: [],
      upload: { state: 'ready', description: { a: 1 } },
    })
  })

  test('appears in its project list, deleted ones only when asked for', async () => {
    const { upload } = await create(newUpload({ name: `listed ${role}` }))
    const list = (states?: readonly ('deleted' | 'validating')[]) =>
      repository.list(db.pool, { projectId, name: upload.name, limit: 10, states })
    expect((await list()).rows.map(({ id }) => id)).toEqual([upload.id])
    await withTransaction(db.pool, (tx) => repository.delete(tx, upload))
    expect((await list()).rows).toEqual([])
    expect((await list(['deleted'])).rows).toHaveLength(1)
  })
})
