// Gates in the database: while one is closed no transaction gets past writing a row of its table.
// So a test can hold a stage in its middle, or a request before its commit, without a hook in the
// product and without racing the clock.
import type { Pool } from '@pare/database'
import type { PoolClient } from 'pg'

import { until } from './until.js'

/** Tells these advisory locks from those of the product. */
const CLASS = 20_417

const HAS_BEGUN = `EXISTS (SELECT FROM stage WHERE job_id = NEW.job_id AND state = 'succeeded')`

/**
 * Where a gate stands: results of a kind of stage, plans as they grow, or the end of requests with an
 * idempotency key.
 */
const TABLES = {
  stage: { when: 'INSERT', name: `CASE WHEN ${HAS_BEGUN} THEN 'growth' ELSE 'plan' END` },
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
           PERFORM set_config('application_name', 'gate ' || coalesce(to_jsonb(NEW) ->> 'job_id', ''), true);
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
  async untilReached(name: string, limits: { readonly limitMs?: number } = {}): Promise<void> {
    await until(`a transaction at the gate ${name}`, () => this.#waiting(name), limits)
  }

  /** The job whose row stands before the gate, once there is one. */
  async untilJobReached(name: string, limits: { readonly limitMs?: number }): Promise<string> {
    const isJob = async () => (await this.#waiting(name))?.replace('gate ', '')
    return until(`a job at the gate ${name}`, isJob, limits)
  }

  /** What the first transaction before the gate calls itself there. */
  async #waiting(name: string): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ name: string }>(
      `SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND NOT granted
         AND classid = $1 AND objid::bigint = hashtext($2)::bigint & 4294967295`,
      [CLASS, name],
    )
    return rows[0]?.name
  }

  /** Opens all of them. */
  async dispose(): Promise<void> {
    await this.#client.query('SELECT pg_advisory_unlock_all()')
    this.#client.release()
  }
}
