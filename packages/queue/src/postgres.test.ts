import { createTestDatabase } from '@pare/database/testing'
import pg from 'pg'
import { describe, expect, it } from 'vitest'

import { describeDoorbell } from './conformance.js'
import { openDoorbell } from './open-doorbell.js'

describeDoorbell('PostgreSQL', async () => {
  const { url, close } = await createTestDatabase()
  return {
    open: (name) => openDoorbell(url, { name }),
    async cutConnections() {
      const client = new pg.Client(url)
      await client.connect()
      await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`)
      await client.end()
    },
    dispose: close,
  }
})

describe('a PostgreSQL doorbell', () => {
  it('is unavailable when nothing answers', async () => {
    const opened = openDoorbell('postgres://pare@127.0.0.1:1/pare')
    await expect(opened).rejects.toMatchObject({ code: 'queue_unavailable' })
  })
})
