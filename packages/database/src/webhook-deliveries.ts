// Deliveries: one per message and endpoint. A sender claims those that are due under a lease with a
// token, sends, and records the attempt; the schedule is the sender's business.
import { type Db, firstOrNull, NOW, type Tx } from './db.js'
import { errors } from './errors.js'
import { addPosition, conditions, type Page, type PageRequest, pageTail, toPage } from './page.js'
import { validSecrets, type WebhookSecret } from './webhook-endpoints.js'

export const DELIVERY_STATES = ['pending', 'succeeded', 'failed'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export interface WebhookDelivery {
  readonly id: string
  readonly projectId: string
  readonly messageId: string
  readonly endpointId: string
  readonly jobId: string | null
  readonly type: string
  readonly state: DeliveryState
  /** Attempts so far, replays included. */
  readonly attempts: number
  readonly nextAttemptAt: Date | null
  readonly createdAt: Date
  readonly finishedAt: Date | null
}

export interface WebhookAttempt {
  readonly number: number
  readonly startedAt: Date
  readonly durationMs: number
  /** HTTP status; null when there was no answer. */
  readonly status: number | null
  readonly error: string | null
  readonly responseSnippet: string | null
  readonly ip: string | null
}

/** A delivery to send now, with everything that sending takes. */
export interface DueDelivery {
  readonly deliveryId: string
  /** Of the lease: `recordAttempt` wants it back. */
  readonly token: number
  readonly messageId: string
  readonly endpointId: string
  readonly url: string
  readonly type: string
  readonly body: Buffer
  /** Number of this attempt, from 1. */
  readonly attempt: number
  /** Place in the retry schedule: 0 for the first attempt, and again for the first after a replay. */
  readonly scheduleStep: number
  /** How long the endpoint has been failing without a success; 0 when it is not. */
  readonly failingForMs: number
  /** Those valid now, newest first. */
  readonly secrets: readonly string[]
}

const COLUMNS = `d.id, d.project_id AS "projectId", d.message_id AS "messageId",
  d.endpoint_id AS "endpointId", m.job_id AS "jobId", m.type, d.state, d.attempts,
  d.next_attempt_at AS "nextAttemptAt", d.created_at AS "createdAt",
  d.finished_at AS "finishedAt"`

/**
 * Takes deliveries that are due, oldest first, at most `perEndpoint` under way for one endpoint so
 * that a slow one does not take all senders. A lease that ended is due again.
 */
export async function claimDueDeliveries(
  db: Db,
  {
    limit,
    leaseMs,
    perEndpoint = 4,
  }: {
    readonly limit: number
    readonly leaseMs: number
    readonly perEndpoint?: number
  },
): Promise<readonly DueDelivery[]> {
  const { rows } = await db.query<
    Omit<DueDelivery, 'secrets'> & { secrets: readonly WebhookSecret[]; now: Date }
  >(
    `WITH under_way AS (
       SELECT endpoint_id, count(*) AS n FROM webhook_delivery
       WHERE state = 'pending' AND lease_expires_at > ${NOW} GROUP BY endpoint_id
     ), candidate AS (
       SELECT d.id, d.next_attempt_at,
         row_number() OVER (PARTITION BY d.endpoint_id ORDER BY d.next_attempt_at, d.id)
           + coalesce(u.n, 0) AS place
       FROM webhook_delivery d
       JOIN webhook_endpoint e ON e.id = d.endpoint_id AND e.enabled
       LEFT JOIN under_way u ON u.endpoint_id = d.endpoint_id
       WHERE d.state = 'pending' AND d.next_attempt_at <= ${NOW}
         AND (d.lease_expires_at IS NULL OR d.lease_expires_at <= ${NOW})
     ), due AS (
       SELECT d.id FROM webhook_delivery d JOIN candidate c ON c.id = d.id
       WHERE c.place <= $3 AND d.state = 'pending'
         AND (d.lease_expires_at IS NULL OR d.lease_expires_at <= ${NOW})
       ORDER BY c.next_attempt_at, d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED
     ), leased AS (
       UPDATE webhook_delivery d SET lease_token = nextval('stage_token'),
         lease_expires_at = now() + $2::float8 * interval '1 ms'
       FROM due WHERE d.id = due.id RETURNING d.*
     )
     SELECT d.id AS "deliveryId", d.lease_token AS token, d.message_id AS "messageId",
       d.endpoint_id AS "endpointId", e.url, m.type, m.body, d.attempts + 1 AS attempt,
       d.schedule_step AS "scheduleStep", e.secrets, now() AS now,
       coalesce(extract(epoch FROM now() - e.failing_since) * 1000, 0)::float8 AS "failingForMs"
     FROM leased d
     JOIN webhook_message m ON m.id = d.message_id
     JOIN webhook_endpoint e ON e.id = d.endpoint_id
     ORDER BY d.next_attempt_at, d.id`,
    [limit, leaseMs, perEndpoint],
  )
  return rows.map(({ now, secrets, ...due }) => ({
    ...due,
    secrets: validSecrets({ secrets }, now).map(({ secret }) => secret),
  }))
}

export interface AttemptReport {
  readonly deliveryId: string
  readonly token: number
  readonly startedAt: Date
  readonly durationMs: number
  readonly status?: number | null
  /** Class of a failure without an answer: `timeout`, `address_not_allowed`, … */
  readonly error?: string | null
  readonly responseSnippet?: string | null
  readonly ip?: string | null
  readonly outcome:
    | { readonly result: 'succeeded' }
    | { readonly result: 'retry'; readonly delayMs: number }
    /** No more attempts; with `disableEndpoint` (a 410, days of failure) the endpoint is closed. */
    | { readonly result: 'failed'; readonly disableEndpoint?: string }
}

const SNIPPET_CHARS = 1024

/** Logs the attempt and settles the delivery; false when the lease was taken over meanwhile. */
export async function recordAttempt(tx: Tx, report: AttemptReport): Promise<boolean> {
  const { outcome } = report
  // The endpoint first, as its deletion does: the other order could deadlock with it.
  await tx.query(
    `SELECT 1 FROM webhook_endpoint
     WHERE id = (SELECT endpoint_id FROM webhook_delivery WHERE id = $1) FOR NO KEY UPDATE`,
    [report.deliveryId],
  )
  const settled = firstOrNull(
    await tx.query<{ attempts: number; endpointId: string }>(
      `UPDATE webhook_delivery SET attempts = attempts + 1, schedule_step = schedule_step + 1,
         lease_token = NULL, lease_expires_at = NULL, state = $3,
         next_attempt_at = CASE WHEN $3 = 'pending' THEN now() + $4::float8 * interval '1 ms' END,
         finished_at = CASE WHEN $3 <> 'pending' THEN now() END
       WHERE id = $1 AND lease_token = $2 RETURNING attempts, endpoint_id AS "endpointId"`,
      [
        report.deliveryId,
        report.token,
        outcome.result === 'retry' ? 'pending' : outcome.result,
        outcome.result === 'retry' ? outcome.delayMs : 0,
      ],
    ),
  )
  if (settled === null) return false
  await insertAttempt(tx, settled.attempts, report)
  await noteEndpoint(tx, settled.endpointId, outcome)
  return true
}

async function insertAttempt(tx: Tx, number: number, report: AttemptReport): Promise<void> {
  await tx.query(
    `INSERT INTO webhook_attempt (delivery_id, number, started_at, duration_ms, status, error,
       response_snippet, ip)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      report.deliveryId,
      number,
      report.startedAt,
      Math.max(0, Math.round(report.durationMs)),
      report.status ?? null,
      report.error ?? null,
      // PostgreSQL's text has no NUL.
      report.responseSnippet?.replaceAll('\0', '').slice(0, SNIPPET_CHARS) ?? null,
      report.ip ?? null,
    ],
  )
}

/** Keeps the endpoint's row of failures; a disabled endpoint's other deliveries wait. */
async function noteEndpoint(
  tx: Tx,
  endpointId: string,
  outcome: AttemptReport['outcome'],
): Promise<void> {
  const reason = outcome.result === 'failed' ? (outcome.disableEndpoint ?? null) : null
  await tx.query(
    `UPDATE webhook_endpoint SET
       consecutive_failures = CASE WHEN $2 THEN 0 ELSE consecutive_failures + 1 END,
       failing_since = CASE WHEN $2 THEN NULL ELSE coalesce(failing_since, now()) END,
       last_success_at = CASE WHEN $2 THEN now() ELSE last_success_at END,
       enabled = enabled AND $3::text IS NULL,
       disabled_reason = coalesce($3, disabled_reason)
     WHERE id = $1`,
    [endpointId, outcome.result === 'succeeded', reason],
  )
}

export interface DeliveryFilter {
  readonly projectId: string
  readonly endpointId?: string | undefined
  readonly jobId?: string | undefined
  readonly states?: readonly DeliveryState[] | undefined
}

export async function listDeliveries(
  db: Db,
  request: DeliveryFilter & PageRequest,
): Promise<Page<WebhookDelivery>> {
  const where = conditions()
  where.add('d.project_id = ?', request.projectId)
  if (request.endpointId !== undefined) where.add('d.endpoint_id = ?', request.endpointId)
  if (request.jobId !== undefined) where.add('m.job_id = ?', request.jobId)
  if (request.states !== undefined) where.add('d.state = ANY (?)', request.states)
  addPosition(where, request, 'd')
  const { rows } = await db.query<WebhookDelivery>(
    `SELECT ${COLUMNS} FROM webhook_delivery d JOIN webhook_message m ON m.id = d.message_id
     WHERE ${where.text()} ${pageTail(request, 'd')}`,
    [...where.values],
  )
  return toPage(rows, request)
}

export async function getDelivery(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<WebhookDelivery | null> {
  return firstOrNull(
    await db.query<WebhookDelivery>(
      `SELECT ${COLUMNS} FROM webhook_delivery d JOIN webhook_message m ON m.id = d.message_id
       WHERE d.project_id = $1 AND d.id = $2`,
      [projectId, id],
    ),
  )
}

export async function listAttempts(db: Db, deliveryId: string): Promise<readonly WebhookAttempt[]> {
  const { rows } = await db.query<WebhookAttempt>(
    `SELECT number, started_at AS "startedAt", duration_ms AS "durationMs", status, error,
       response_snippet AS "responseSnippet", ip
     FROM webhook_attempt WHERE delivery_id = $1 ORDER BY number`,
    [deliveryId],
  )
  return rows
}

/** Sends a message again, with the same id and bytes, from the start of the schedule. */
export async function replayDelivery(
  tx: Tx,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<WebhookDelivery> {
  await tx.query(
    `UPDATE webhook_delivery SET state = 'pending', next_attempt_at = now(), finished_at = NULL,
       schedule_step = 0
     WHERE project_id = $1 AND id = $2`,
    [projectId, id],
  )
  const delivery = await getDelivery(tx, { projectId, id })
  if (delivery === null) throw errors.webhook_delivery_not_found(`there is no delivery ${id}`)
  return delivery
}
