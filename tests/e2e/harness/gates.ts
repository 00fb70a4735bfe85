// Gates in the database: while one is closed no transaction gets past writing a row of its table.
// So a test can hold a stage in its middle, or a request before its commit, without a hook in the
// product and without racing the clock.
import type { Pool } from '@pare/database'
import type { PoolClient } from 'pg'

import { until } from './until.js'

/** Tells these advisory locks from those of the product. */
const CLASS = 20_417

/** Where a gate stands: results of a kind of stage, or the end of requests with an idempotency key. */
const TABLES = {
  stage_result: { when: 'INSERT', name: `'stage_result ' || NEW.kind` },
  idempotency: { when: 'UPDATE', name: `'idempotency'` },
} as const

export class Gates {
  readonly #client: PoolClient
  readonly #pool: Pool

  private constructor(client: PoolClient, pool: Pool) {
    this.#client = client
    this.#pool = pool
  }

  /** Builds the gates, all open. */
  static async build(pool: Pool): Promise<Gates> {
    for (const [table, { when, name }] of Object.entries(TABLES)) {
      await pool.query(
        `CREATE FUNCTION gate_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           PERFORM pg_advisory_xact_lock_shared(${CLASS}, hashtext(${name}));
           RETURN NEW;
         END $$;
         CREATE TRIGGER gate BEFORE ${when} ON ${table}
           FOR EACH ROW EXECUTE FUNCTION gate_${table}()`,
      )
    }
    return new Gates(await pool.connect(), pool)
  }

  async close(name: string): Promise<void> {
    await this.#client.query('SELECT pg_advisory_lock($1, hashtext($2))', [CLASS, name])
  }

  async open(name: string): Promise<void> {
    await this.#client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [CLASS, name])
  }

  /** Waits until a transaction stands before the gate. */
  async untilReached(name: string): Promise<void> {
    await until(`a transaction at the gate ${name}`, async () => {
      const { rows } = await this.#pool.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
           AND classid = $1 AND objid::bigint = hashtext($2)::bigint & 4294967295`,
        [CLASS, name],
      )
      return rows.length > 0
    })
  }

  /** Opens all of them. */
  async dispose(): Promise<void> {
    await this.#client.query('SELECT pg_advisory_unlock_all()')
    this.#client.release()
  }
}
