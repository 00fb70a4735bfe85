// What must be gone after every process has stopped: work folders, half uploads, connections.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Cluster } from './cluster.js'

/** Call it after `stopServices`. Answers everything that should not be there. */
export async function findLeftovers({ folder, database }: Cluster): Promise<readonly string[]> {
  const spools = (await namesIn(folder)).filter((name) => name.startsWith('pare-spool'))
  const folders = ['work', join('store', 'tmp'), ...spools].map((name) => join(folder, name))
  const files = await Promise.all(
    folders.map(async (path) => (await namesIn(path)).map((name) => join(path, name))),
  )
  const { rows } = await database.pool.query<{ application_name: string }>(
    `SELECT application_name FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend'
       AND application_name <> (SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid())`,
  )
  return [...files.flat(), ...rows.map((row) => `connection of ${row.application_name}`)]
}

function namesIn(path: string): Promise<readonly string[]> {
  return readdir(path).catch(() => [])
}
