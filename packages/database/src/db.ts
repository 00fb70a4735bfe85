// The connection pool and transactions. Statements take `Db`; whatever must commit as a whole takes
// `Tx`, which only `withTransaction` makes, so a forgotten transaction does not compile.
import pg from 'pg'

export type Pool = pg.Pool
/** A pool, or a client inside a transaction. */
export type Db = pg.Pool | pg.PoolClient

declare const transaction: unique symbol
export type Tx = pg.PoolClient & { readonly [transaction]: true }

export interface PoolOptions {
  readonly connectionString: string
  /** Connections at most (default 10). */
  readonly max?: number
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string
  /** Called when an idle connection breaks; the pool replaces it by itself. */
  readonly onError?: (error: Error) => void
}

type TypeId = Parameters<typeof pg.types.getTypeParser>[0]

/** Reads bigint columns as numbers, refusing those that a number cannot hold. */
const types = {
  getTypeParser: (oid: TypeId, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? parseSafeInteger
      : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
}

function parseSafeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} exceeds the safe integers`)
  return value
}

/**
 * The transaction's time as the tables hold it. Columns are timestamptz(3) and PostgreSQL rounds to
 * nearest, so a stored `now()` may lie half a millisecond ahead of the next transaction's: what is
 * due at once would not be due yet. Rounding both sides keeps their order.
 */
export const NOW = 'now()::timestamptz(3)'

const IDLE_IN_TRANSACTION_MS = 10_000

export function createPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'pare',
    connectionTimeoutMillis: 10_000,
    // A process that freezes inside a transaction would hold its locks for ever.
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    types,
  })
  // Without a listener a dropped idle connection would end the process.
  pool.on('error', options.onError ?? (() => undefined))
  return pool
}

/** Runs `fn` in one transaction: committed when it returns, rolled back when it throws. */
export async function withTransaction<T>(pool: Pool, fn: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  // The pool listens to idle connections only: without this a cut one would end the process.
  const onError = (error: Error): void => {
    broken = error
  }
  client.on('error', onError)
  try {
    await client.query('BEGIN')
    const result = await fn(client as Tx)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((cause: unknown) => {
      // A connection that cannot roll back must not return to the pool with its transaction open.
      broken = cause instanceof Error ? cause : new Error(String(cause))
    })
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** First row of a result, or null. */
export function firstOrNull<Row>(result: { readonly rows: readonly Row[] }): Row | null {
  return result.rows[0] ?? null
}

/** First row of a statement that always gives one. */
export function first<Row>(result: { readonly rows: readonly Row[] }): Row {
  const row = result.rows[0]
  if (row === undefined) throw new Error('a statement that always returns a row returned none')
  return row
}
