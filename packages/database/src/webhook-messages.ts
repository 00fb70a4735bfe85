// Webhook messages: the bytes are made once, in the transaction of the change they tell of, with
// one delivery for each endpoint that wants the type.
import type { JsonObject } from '@pare/recipe'

import { type Db, firstOrNull, type Tx } from './db.js'
import { errors } from './errors.js'
import { newId } from './ids.js'

export const WEBHOOK_EVENT_TYPES = [
  'job.started',
  'job.progress',
  'job.succeeded',
  'job.failed',
  'job.canceled',
  'job.expired',
] as const
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number]

/** Standard Webhooks keeps a body below 20 kB. */
export const MAX_WEBHOOK_BODY_BYTES = 20_000

export interface WebhookMessage {
  readonly id: string
  readonly projectId: string
  readonly jobId: string | null
  readonly type: string
  readonly body: Buffer
  readonly createdAt: Date
}

export interface NewWebhookMessage {
  readonly projectId: string
  readonly jobId?: string | null
  readonly type: string
  readonly data: JsonObject
  /** When the event happened. */
  readonly at: Date
  /** Only this endpoint, whatever its filter: for a test event. */
  readonly endpointId?: string
}

const COLUMNS = `id, project_id AS "projectId", job_id AS "jobId", type, body,
  created_at AS "createdAt"`

/**
 * Writes the message and its deliveries; null when no enabled endpoint wants it. The body is
 * `{type, timestamp, data}`, the time being that of the event.
 */
export async function insertWebhookMessage(
  tx: Tx,
  message: NewWebhookMessage,
): Promise<WebhookMessage | null> {
  const endpointIds = await selectEndpoints(tx, message)
  if (endpointIds.length === 0) return null
  const { type, data, at } = message
  const body = Buffer.from(JSON.stringify({ type, timestamp: at.toISOString(), data }))
  if (body.length >= MAX_WEBHOOK_BODY_BYTES) {
    throw errors.webhook_body_too_large(`the body of ${type} has ${body.length} bytes`)
  }
  const inserted = await tx.query<WebhookMessage>(
    `INSERT INTO webhook_message (id, project_id, job_id, type, body)
     VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
    [newId('webhookMessage'), message.projectId, message.jobId ?? null, type, body],
  )
  const row = firstOrNull(inserted)
  if (row !== null) await insertDeliveries(tx, row, endpointIds)
  return row
}

/** Locked, so that an endpoint deleted at this moment cannot fail the transaction of its event. */
async function selectEndpoints(tx: Tx, message: NewWebhookMessage): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `SELECT id FROM webhook_endpoint
     WHERE project_id = $1 AND enabled
       AND CASE WHEN $3::text IS NULL THEN events = '{}' OR $2 = ANY (events) ELSE id = $3 END
     ORDER BY id FOR KEY SHARE`,
    [message.projectId, message.type, message.endpointId ?? null],
  )
  return rows.map(({ id }) => id)
}

async function insertDeliveries(
  tx: Tx,
  message: WebhookMessage,
  endpointIds: readonly string[],
): Promise<void> {
  for (const endpointId of endpointIds) {
    await tx.query(
      `INSERT INTO webhook_delivery (id, project_id, message_id, endpoint_id)
       VALUES ($1, $2, $3, $4)`,
      [newId('webhookDelivery'), message.projectId, message.id, endpointId],
    )
  }
}

export async function getWebhookMessage(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<WebhookMessage | null> {
  return firstOrNull(
    await db.query<WebhookMessage>(
      `SELECT ${COLUMNS} FROM webhook_message WHERE project_id = $1 AND id = $2`,
      [projectId, id],
    ),
  )
}

export async function listWebhookMessagesOfJob(
  db: Db,
  jobId: string,
): Promise<readonly WebhookMessage[]> {
  const { rows } = await db.query<WebhookMessage>(
    `SELECT ${COLUMNS} FROM webhook_message WHERE job_id = $1 ORDER BY created_at, id`,
    [jobId],
  )
  return rows
}
