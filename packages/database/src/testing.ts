// A real database for tests: one server per test process, and for each call a fresh database copied
// from a migrated template. Closing the last one stops the server and removes its folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pg from 'pg'

import { createPool, type Pool } from './db.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.js'
import { migrate } from './migrate.js'

export interface TestDatabase {
  /** Connection string: another process may use it too. */
  readonly url: string
  readonly pool: Pool
  readonly close: () => Promise<void>
}

interface TestServer {
  readonly postgres: EmbeddedPostgres
  readonly dir: string
}

let server: Promise<TestServer> | undefined
let open = 0
let made = 0

/** Call it in beforeAll, and `close` in afterAll. */
export async function createTestDatabase(): Promise<TestDatabase> {
  open++
  const { postgres } = await (server ??= startServer())
  const name = `test_${++made}`
  await administer(postgres, `CREATE DATABASE ${name} TEMPLATE pare`)
  const url = postgres.urlOf(name)
  const pool = createPool({ connectionString: url, max: 20, applicationName: name })
  return {
    url,
    pool,
    close: async () => {
      await pool.end()
      await administer(postgres, `DROP DATABASE ${name} WITH (FORCE)`)
      if (--open === 0) await stopServer()
    },
  }
}

async function startServer(): Promise<TestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'pare-test-postgres-'))
  const postgres = await startEmbeddedPostgres({ dataDir: dir, durable: false })
  await migrate(postgres.url)
  return { postgres, dir }
}

async function stopServer(): Promise<void> {
  const stopping = server
  server = undefined
  if (stopping === undefined) return
  const { postgres, dir } = await stopping
  await postgres.stop()
  await rm(dir, { recursive: true, force: true })
}

async function administer(postgres: EmbeddedPostgres, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.urlOf('postgres') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
