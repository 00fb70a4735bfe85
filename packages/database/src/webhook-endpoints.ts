import { type Db, first, firstOrNull, type Tx } from './db.js'
import { newId } from './ids.js'
import { toJson } from './json.js'
import { addPosition, conditions, type Page, type PageRequest, pageTail, toPage } from './page.js'

export interface WebhookSecret {
  /** `whsec_…` */
  readonly secret: string
  /** ISO 8601; null for the current secret, the end of the overlap for the one before. */
  readonly expiresAt: string | null
}

export interface WebhookEndpoint {
  readonly id: string
  readonly projectId: string
  readonly url: string
  readonly description: string
  /** Types that it wants; empty means all. */
  readonly events: readonly string[]
  /** Newest first; all that have not expired sign. */
  readonly secrets: readonly WebhookSecret[]
  readonly enabled: boolean
  readonly disabledReason: string | null
  readonly consecutiveFailures: number
  /** When the present row of failures began. */
  readonly failingSince: Date | null
  readonly lastSuccessAt: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

interface OwnedId {
  readonly projectId: string
  readonly id: string
}

const COLUMNS = `id, project_id AS "projectId", url, description, events, secrets, enabled,
  disabled_reason AS "disabledReason", consecutive_failures AS "consecutiveFailures",
  failing_since AS "failingSince", last_success_at AS "lastSuccessAt", created_at AS "createdAt",
  updated_at AS "updatedAt"`

export async function createWebhookEndpoint(
  db: Db,
  endpoint: {
    readonly projectId: string
    readonly url: string
    readonly secret: string
    readonly description?: string
    readonly events?: readonly string[]
  },
): Promise<WebhookEndpoint> {
  return first(
    await db.query<WebhookEndpoint>(
      `INSERT INTO webhook_endpoint (id, project_id, url, description, events, secrets)
       VALUES ($1, $2, $3, $4, $5, $6::jsonb) RETURNING ${COLUMNS}`,
      [
        newId('webhookEndpoint'),
        endpoint.projectId,
        endpoint.url,
        endpoint.description ?? '',
        endpoint.events ?? [],
        toJson([{ secret: endpoint.secret, expiresAt: null }]),
      ],
    ),
  )
}

export async function getWebhookEndpoint(
  db: Db,
  { projectId, id }: OwnedId,
): Promise<WebhookEndpoint | null> {
  return firstOrNull(
    await db.query<WebhookEndpoint>(
      `SELECT ${COLUMNS} FROM webhook_endpoint WHERE project_id = $1 AND id = $2`,
      [projectId, id],
    ),
  )
}

export async function listWebhookEndpoints(
  db: Db,
  { projectId, ...request }: PageRequest & { readonly projectId: string },
): Promise<Page<WebhookEndpoint>> {
  const where = conditions()
  where.add('project_id = ?', projectId)
  addPosition(where, request)
  const { rows } = await db.query<WebhookEndpoint>(
    `SELECT ${COLUMNS} FROM webhook_endpoint WHERE ${where.text()} ${pageTail(request)}`,
    [...where.values],
  )
  return toPage(rows, request)
}

/** Changes what is given; enabling forgets the failures before. */
export async function updateWebhookEndpoint(
  db: Db,
  {
    projectId,
    id,
    ...change
  }: OwnedId & {
    readonly url?: string | undefined
    readonly description?: string | undefined
    readonly events?: readonly string[] | undefined
    readonly enabled?: boolean | undefined
  },
): Promise<WebhookEndpoint | null> {
  return firstOrNull(
    await db.query<WebhookEndpoint>(
      `UPDATE webhook_endpoint SET
         url = coalesce($3, url), description = coalesce($4, description),
         events = coalesce($5::text[], events), enabled = coalesce($6, enabled),
         disabled_reason = CASE WHEN $6 THEN NULL WHEN $6 = false THEN 'disabled by its owner'
           ELSE disabled_reason END,
         consecutive_failures = CASE WHEN $6 THEN 0 ELSE consecutive_failures END,
         failing_since = CASE WHEN $6 THEN NULL ELSE failing_since END,
         updated_at = now()
       WHERE project_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
      [
        projectId,
        id,
        change.url ?? null,
        change.description ?? null,
        change.events ?? null,
        change.enabled ?? null,
      ],
    ),
  )
}

/** Deletes it with its deliveries. */
export async function deleteWebhookEndpoint(db: Db, { projectId, id }: OwnedId): Promise<boolean> {
  const { rowCount } = await db.query(
    'DELETE FROM webhook_endpoint WHERE project_id = $1 AND id = $2',
    [projectId, id],
  )
  return rowCount === 1
}

/** Puts a new secret first; those before sign on until the overlap ends, then they are dropped. */
export async function rotateWebhookSecret(
  tx: Tx,
  {
    projectId,
    id,
    secret,
    overlapMs,
  }: OwnedId & {
    readonly secret: string
    readonly overlapMs: number
  },
): Promise<WebhookEndpoint | null> {
  const endpoint = firstOrNull(
    await tx.query<WebhookEndpoint & { now: Date }>(
      `SELECT ${COLUMNS}, now() AS now FROM webhook_endpoint
       WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [projectId, id],
    ),
  )
  if (endpoint === null) return null
  const end = new Date(endpoint.now.getTime() + overlapMs).toISOString()
  const old = validSecrets(endpoint, endpoint.now).map((held) => ({
    ...held,
    expiresAt: held.expiresAt !== null && held.expiresAt < end ? held.expiresAt : end,
  }))
  return first(
    await tx.query<WebhookEndpoint>(
      `UPDATE webhook_endpoint SET secrets = $2::jsonb, updated_at = now()
       WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, toJson([{ secret, expiresAt: null }, ...(overlapMs > 0 ? old : [])])],
    ),
  )
}

/** The secrets that sign at that time, newest first. */
export function validSecrets(
  { secrets }: Pick<WebhookEndpoint, 'secrets'>,
  now: Date,
): readonly WebhookSecret[] {
  return secrets.filter(({ expiresAt }) => expiresAt === null || new Date(expiresAt) > now)
}
