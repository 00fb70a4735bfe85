import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { newApiKey } from '@pare/api'

export interface KeptKey {
  readonly key: string
  /** Made now: the only time it is shown. */
  readonly isNew: boolean
  /** Where it is kept; absent when the environment gave it. */
  readonly path?: string
}

/** The key of the environment, else the one in the data folder, else a new one that is kept there. */
export async function keepApiKey(dataDir: string, given: string | undefined): Promise<KeptKey> {
  if (given !== undefined) return { key: given, isNew: false }
  const path = join(dataDir, 'api-key')
  const kept = await readIfThere(path)
  if (kept !== undefined) return { key: kept, isNew: false, path }
  const key = newApiKey()
  await writeFile(path, `${key}\n`, { mode: 0o600, flag: 'wx' })
  return { key, isNew: true, path }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
