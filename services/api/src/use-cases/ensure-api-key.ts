import {
  createApiKey,
  ensureProject,
  findApiKeyByHash,
  type Pool,
  type Project,
} from '@pare/database'

import { storedParts } from './create-api-key.js'

const DEFAULT_PROJECT = 'default'

/** Makes the project `default` and lets the key do everything in it; safe at every start. */
export async function ensureApiKey(pool: Pool, key: string): Promise<Project> {
  const project = await ensureProject(pool, DEFAULT_PROJECT)
  const parts = storedParts(key)
  if ((await findApiKeyByHash(pool, parts.hash)) === null) {
    await createApiKey(pool, {
      projectId: project.id,
      name: 'from PARE_API_KEY',
      scopes: ['admin'],
      ...parts,
    }).catch(async (error: unknown) => {
      // Another process started at the same moment with the same key.
      if ((await findApiKeyByHash(pool, parts.hash)) === null) throw error
    })
  }
  return project
}
