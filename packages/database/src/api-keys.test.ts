import { afterAll, beforeAll, expect, test } from 'vitest'

import {
  createApiKey,
  findApiKeyByHash,
  isUsableApiKey,
  listApiKeys,
  revokeApiKey,
  touchApiKey,
} from './api-keys.js'
import { ensureProject } from './projects.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { sha256Of } from './testing-job.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

test('a project is made once, however many processes ask for it', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => ensureProject(db.pool, 'default')))
  expect(new Set(all.map(({ id }) => id)).size).toBe(1)
})

test('a key is found by its hash and usable until it expires or is revoked', async () => {
  const { id: projectId } = await ensureProject(db.pool, 'default')
  const expiresAt = new Date('2030-01-01T00:00:00Z')
  const key = await createApiKey(db.pool, {
    projectId,
    name: 'ci',
    prefix: 'pare_abc',
    hash: sha256Of('pare_abcdef'),
    scopes: ['jobs:write'],
    expiresAt,
  })
  expect(await findApiKeyByHash(db.pool, sha256Of('pare_abcdef'))).toEqual(key)
  expect(await findApiKeyByHash(db.pool, sha256Of('pare_xyz'))).toBeNull()
  expect(key).not.toHaveProperty('hash')
  expect(isUsableApiKey(key, new Date('2029-12-31T23:59:59Z'))).toBe(true)
  expect(isUsableApiKey(key, expiresAt)).toBe(false)

  const { id: otherId } = await ensureProject(db.pool, 'other')
  expect(await revokeApiKey(db.pool, { projectId: otherId, id: key.id })).toBeNull()
  const revoked = await revokeApiKey(db.pool, { projectId, id: key.id })
  expect(isUsableApiKey(revoked!, new Date('2027-01-01'))).toBe(false)
  expect(await revokeApiKey(db.pool, { projectId, id: key.id })).toEqual(revoked)
  const { rows } = await listApiKeys(db.pool, { projectId, limit: 5 })
  expect(rows.map(({ name }) => name)).toEqual(['ci'])
})

test('the last use is noted at most once a minute', async () => {
  const { id: projectId } = await ensureProject(db.pool, 'default')
  const hash = sha256Of('busy')
  const { id } = await createApiKey(db.pool, {
    ...{ projectId, name: 'busy', prefix: 'pare_b', hash },
    scopes: [],
  })
  await touchApiKey(db.pool, id)
  const first = await findApiKeyByHash(db.pool, hash)
  expect(first?.lastUsedAt).toBeInstanceOf(Date)
  await touchApiKey(db.pool, id)
  expect(await findApiKeyByHash(db.pool, hash)).toEqual(first)
})
