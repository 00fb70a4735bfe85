import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { withTransaction } from './db.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

describe('a transaction', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.close())

  it('whose connection is cut fails alone: process and pool go on', async () => {
    const { pool } = database
    const cut = withTransaction(pool, async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      const ended = new Promise<void>((resolve) => tx.once('end', resolve))
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid])
      // Between two statements: nobody waits for an answer that could carry the error.
      await ended
      await tx.query('SELECT 1')
    })
    await expect(cut).rejects.toThrow()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it('that throws leaves nothing behind', async () => {
    const { pool } = database
    const failed = withTransaction(pool, async (tx) => {
      await tx.query('CREATE TABLE left_over (a integer)')
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    const { rows } = await pool.query(`SELECT to_regclass('left_over') AS found`)
    expect(rows).toEqual([{ found: null }])
  })
  it('whose process is frozen does not hold its locks for ever', async () => {
    const { rows } = await database.pool.query('SHOW idle_in_transaction_session_timeout')
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: '10s' }])
  })
})
