// Applies the migrations at start, under an advisory lock: of several processes that start together
// one migrates and the others wait for it.
import { fileURLToPath } from 'node:url'

import { runner } from 'node-pg-migrate'
import pg from 'pg'

/** migrations/ at the repository's root, seen from src/ and from dist/ alike. */
export const MIGRATIONS_DIR = fileURLToPath(new URL('../../../migrations', import.meta.url))

/** Names of the migrations applied now, in order; empty when the database was up to date. */
export async function migrate(
  connectionString: string,
  { dir = MIGRATIONS_DIR }: { readonly dir?: string } = {},
): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString, application_name: 'pare:migrate' })
  // The statement that fails says so; a cut connection must not end the process besides.
  client.on('error', ignore)
  await client.connect()
  try {
    const applied = await runner({
      dbClient: client,
      dir: `${dir}/[0-9][0-9][0-9][0-9]_*.sql`,
      useGlob: true,
      direction: 'up',
      migrationsTable: 'migration',
      advisoryLockMode: 'wait',
      checkOrder: true,
      logger: SILENT,
    })
    return applied.map(({ name }) => name)
  } finally {
    await client.end()
  }
}

// Errors are thrown; the rest is the caller's to log.
const ignore = (): void => undefined
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore }
