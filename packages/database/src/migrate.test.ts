import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { migrate, MIGRATIONS_DIR } from './migrate.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let db: TestDatabase
let dir: string
beforeAll(async () => {
  db = await createTestDatabase()
  dir = await mkdtemp(join(tmpdir(), 'pare-migrations-'))
})
afterAll(async () => {
  await rm(dir, { recursive: true })
  await db.close()
})

async function emptyDatabase(name: string): Promise<string> {
  await db.pool.query(`CREATE DATABASE ${name}`)
  return db.url.replace(/[^/]+$/, name)
}

async function ask(url: string, text: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(text)
  await client.end()
  return rows
}

test('processes that start together migrate once, and the others wait for it', async () => {
  const url = await emptyDatabase('together')
  const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(url)))
  const names = (await readdir(MIGRATIONS_DIR)).filter((name) => name.endsWith('.sql')).sort()
  expect(names.every((name) => /^\d{4}_[a-z]+_[a-z_]+\.sql$/.test(name))).toBe(true)
  expect(applied.flat().sort()).toEqual(names.map((name) => name.replace('.sql', '')))
  expect(await migrate(url)).toEqual([])
})

test('a migration that fails leaves nothing of itself, and the next start tries it again', async () => {
  const url = await emptyDatabase('failing')
  await writeFile(join(dir, '0001_create_thing.sql'), 'CREATE TABLE thing (id int);')
  const second = join(dir, '0002_fill_thing.sql')
  await writeFile(second, 'INSERT INTO thing VALUES (1); SELECT 1 / 0;')
  await writeFile(join(dir, 'README.md'), 'not a migration')
  await expect(migrate(url, { dir })).rejects.toThrow('division by zero')
  expect(await ask(url, 'SELECT * FROM thing')).toEqual([])
  await writeFile(second, 'INSERT INTO thing VALUES (2);')
  expect(await migrate(url, { dir })).toEqual(['0002_fill_thing'])
  expect(await ask(url, 'SELECT * FROM thing')).toEqual([{ id: 2 }])
})

test('a migration put before one that was applied is refused', async () => {
  const url = await emptyDatabase('disorder')
  await writeFile(join(dir, '0002_fill_thing.sql'), 'INSERT INTO thing VALUES (2);')
  await migrate(url, { dir })
  await rm(join(dir, '0002_fill_thing.sql'))
  await writeFile(join(dir, '0003_fill_thing.sql'), 'INSERT INTO thing VALUES (3);')
  await expect(migrate(url, { dir })).rejects.toThrow('preceding already run migration')
})
