import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { type Job, listJobs } from './jobs.js'
import type { PagePosition } from './page.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { acceptTestJob, createTestProject, type TestProject } from './testing-job.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

/** Jobs whose times coincide often, so that the id has to decide. */
async function createJobs(project: TestProject, minutes: readonly number[]): Promise<string[]> {
  const ids: string[] = []
  for (const minute of minutes) {
    const { job } = await acceptTestJob(db.pool, project)
    await db.pool.query(
      `UPDATE job SET created_at = timestamptz '2026-01-01' + $2 * interval '1 minute'
       WHERE id = $1`,
      [job.id, minute],
    )
    ids.push(job.id)
  }
  return ids
}

async function remove(id: string): Promise<void> {
  for (const table of ['event', 'stage']) {
    await db.pool.query(`DELETE FROM ${table} WHERE job_id = $1`, [id])
  }
  await db.pool.query('DELETE FROM job WHERE id = $1', [id])
}

test('a walk sees every row that was there all the time exactly once, whatever comes and goes', async () => {
  const minute = fc.integer({ min: 0, max: 3 })
  const walk = fc.record({
    staying: fc.array(minute, { maxLength: 8 }),
    leaving: fc.array(minute, { maxLength: 3 }),
    coming: fc.array(minute, { maxLength: 3 }),
    limits: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 }),
  })
  await fc.assert(
    fc.asyncProperty(walk, async ({ staying, leaving, coming, limits }) => {
      const project = await createTestProject(db.pool)
      const leavers = await createJobs(project, leaving)
      const stayers = await createJobs(project, staying)
      const seen: Job[] = []
      let after: PagePosition | undefined
      for (let turn = 0; ; turn++) {
        const limit = limits[turn % limits.length]!
        const page = await listJobs(db.pool, { projectId: project.projectId, limit, after })
        seen.push(...page.rows)
        const last = page.rows.at(-1)
        if (!page.hasMore || last === undefined) break
        after = last
        const leaver = leavers.pop()
        if (leaver !== undefined) await remove(leaver)
        await createJobs(project, coming.slice(0, 1))
      }
      const ids = seen.map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
      for (const id of stayers) expect(ids).toContain(id)
      const keys = seen.map(({ createdAt, id }) => `${createdAt.toISOString()} ${id}`)
      expect(keys).toEqual([...keys].sort().reverse())
    }),
    { numRuns: 15, seed: 1 },
  )
})

test('the page of a real list ends where the next begins, to the millisecond', async () => {
  const project = await createTestProject(db.pool)
  for (let i = 0; i < 5; i++) await acceptTestJob(db.pool, project)
  const { projectId } = project
  const all = await listJobs(db.pool, { projectId, limit: 10 })
  expect(all.hasMore).toBe(false)
  const one = await listJobs(db.pool, { projectId, limit: 2 })
  const two = await listJobs(db.pool, { projectId, limit: 3, after: one.rows.at(-1) })
  expect([one.hasMore, two.hasMore]).toEqual([true, false])
  expect([...one.rows, ...two.rows].map(({ id }) => id)).toEqual(all.rows.map(({ id }) => id))
})

test('filters select by state, by every label given, by model and by project', async () => {
  const project = await createTestProject(db.pool)
  const { projectId } = project
  const red = await acceptTestJob(db.pool, project, { labels: { team: 'a', colour: 'red' } })
  await acceptTestJob(db.pool, project, { labels: { team: 'a', colour: 'blue' } })
  await acceptTestJob(db.pool, await createTestProject(db.pool), { labels: { colour: 'red' } })
  const count = async (filter: Partial<Parameters<typeof listJobs>[1]>) =>
    (await listJobs(db.pool, { projectId, limit: 10, ...filter })).rows.length
  expect(await count({})).toBe(2)
  expect(await count({ labels: { team: 'a' } })).toBe(2)
  const both = { labels: { team: 'a', colour: 'red' } }
  const { rows } = await listJobs(db.pool, { projectId, limit: 10, ...both })
  expect(rows.map(({ id }) => id)).toEqual([red.job.id])
  expect(await count({ states: ['queued'] })).toBe(2)
  expect(await count({ states: ['running', 'failed'] })).toBe(0)
  expect(await count({ modelId: project.modelId })).toBe(2)
  expect(await count({ parentJobId: red.job.id })).toBe(0)
})
