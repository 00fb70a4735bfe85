// Idempotency keys (draft-ietf-httpapi-idempotency-key-header-07).
//
// Short requests begin and finish in one transaction with their work: a crash leaves all or
// nothing, and a second request with the key waits at the unique index and then sees the response.
// Long ones (an upload) commit `begin` first; then others are told that it is under way, until the
// lease ends and one of them takes over. The holder fences the one that was too slow.
import { randomUUID } from 'node:crypto'

import type { Json } from '@pare/recipe'

import { type Db, firstOrNull, NOW, type Tx } from './db.js'
import { toJson } from './json.js'

export interface IdempotencyKey {
  /** Project, caller, method and route in one string: a key means nothing outside its scope. */
  readonly scope: string
  readonly key: string
}

export interface IdempotencyRequest extends IdempotencyKey {
  /** SHA-256 of method, route, scope and canonical body. */
  readonly fingerprint: string
  /** How long a request that commits `begin` on its own may take (default 60 s). */
  readonly leaseMs?: number
  /** How long the response is kept (default 72 h). */
  readonly ttlMs?: number
}

export interface StoredResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Json
}

export type IdempotencyOutcome =
  /** Do the work, then `idempotencyFinish` with this holder. */
  | { readonly outcome: 'started'; readonly holder: string }
  /** The first request has ended: answer this. */
  | { readonly outcome: 'replay'; readonly response: StoredResponse }
  /** The first request is still under way. */
  | { readonly outcome: 'in_progress' }
  /** The key was used for a different request. */
  | { readonly outcome: 'mismatch' }

interface Row {
  readonly fingerprint: string
  readonly state: 'in_progress' | 'done'
  readonly response: StoredResponse | null
  readonly leaseLive: boolean
  readonly expired: boolean
}

const DEFAULT_LEASE_MS = 60_000
const DEFAULT_TTL_MS = 72 * 3_600_000

export async function idempotencyBegin(
  tx: Tx,
  request: IdempotencyRequest,
): Promise<IdempotencyOutcome> {
  const holder = randomUUID()
  if (await insert(tx, request, holder)) return { outcome: 'started', holder }
  const row = firstOrNull(
    await tx.query<Row>(
      `SELECT fingerprint, state, response, locked_until > ${NOW} AS "leaseLive",
         expires_at <= ${NOW} AS expired
       FROM idempotency WHERE scope = $1 AND key = $2 FOR UPDATE`,
      [request.scope, request.key],
    ),
  )
  // Deleted between the two statements: its request failed or it expired, so the key is free.
  if (row === null) return idempotencyBegin(tx, request)
  if (!row.expired) {
    if (row.fingerprint !== request.fingerprint) return { outcome: 'mismatch' }
    if (row.response !== null) return { outcome: 'replay', response: row.response }
    if (row.leaseLive) return { outcome: 'in_progress' }
  }
  await takeOver(tx, request, holder)
  return { outcome: 'started', holder }
}

async function insert(tx: Tx, request: IdempotencyRequest, holder: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO idempotency (scope, key, fingerprint, holder, locked_until, expires_at)
     VALUES ($1, $2, $3, $4, now() + $5 * interval '1 ms', now() + $6 * interval '1 ms')
     ON CONFLICT DO NOTHING`,
    values(request, holder),
  )
  return rowCount === 1
}

async function takeOver(tx: Tx, request: IdempotencyRequest, holder: string): Promise<void> {
  await tx.query(
    `UPDATE idempotency SET fingerprint = $3, holder = $4, state = 'in_progress', response = NULL,
       locked_until = now() + $5 * interval '1 ms', expires_at = now() + $6 * interval '1 ms'
     WHERE scope = $1 AND key = $2`,
    values(request, holder),
  )
}

function values(request: IdempotencyRequest, holder: string): unknown[] {
  const { scope, key, fingerprint } = request
  const { leaseMs = DEFAULT_LEASE_MS, ttlMs = DEFAULT_TTL_MS } = request
  return [scope, key, fingerprint, holder, leaseMs, ttlMs]
}

/**
 * Stores the response to repeat. False when another request has taken the key over meanwhile: then
 * the transaction must be rolled back.
 */
export async function idempotencyFinish(
  tx: Tx,
  {
    scope,
    key,
    holder,
    response,
  }: IdempotencyKey & {
    readonly holder: string
    readonly response: StoredResponse
  },
): Promise<boolean> {
  const done = await tx.query(
    `UPDATE idempotency SET state = 'done', response = $4::jsonb
     WHERE scope = $1 AND key = $2 AND holder = $3 AND state = 'in_progress'
     RETURNING key`,
    [scope, key, holder, toJson(response)],
  )
  return firstOrNull(done) !== null
}

/** Deletes what has expired; gives the number of rows. */
export async function purgeIdempotency(db: Db): Promise<number> {
  const { rowCount } = await db.query(`DELETE FROM idempotency WHERE expires_at <= ${NOW}`)
  return rowCount ?? 0
}
