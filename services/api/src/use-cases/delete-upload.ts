import {
  listUnfinishedJobsUsing,
  type Pool,
  type UploadRepository,
  withTransaction,
} from '@pare/database'

import { errors } from '../errors.js'

export interface OwnedId {
  readonly projectId: string
  readonly id: string
}

/**
 * False when the project has no such upload.
 * @throws resource_in_use while an unfinished job uses it
 */
export async function deleteUpload(
  pool: Pool,
  uploads: UploadRepository,
  owned: OwnedId,
): Promise<boolean> {
  return withTransaction(pool, async (tx) => {
    const jobs = await listUnfinishedJobsUsing(tx, owned)
    if (jobs.length > 0) {
      throw errors.resource_in_use(`wait for ${jobs.join(', ')} or cancel first`, {
        details: { jobs },
      })
    }
    return (await uploads.delete(tx, owned)) !== null
  })
}
