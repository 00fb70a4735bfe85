import { type Db, first, firstOrNull } from './db.js'
import { newId } from './ids.js'
import { addPosition, conditions, type Page, type PageRequest, pageTail, toPage } from './page.js'

export interface ApiKey {
  readonly id: string
  readonly projectId: string
  readonly name: string
  readonly prefix: string
  readonly scopes: readonly string[]
  readonly expiresAt: Date | null
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
  readonly createdAt: Date
}

export interface NewApiKey {
  readonly projectId: string
  readonly name: string
  /** The first characters of the key, shown to people. */
  readonly prefix: string
  /** SHA-256 of the whole key, lower-case hex. The key itself is never stored. */
  readonly hash: string
  readonly scopes: readonly string[]
  readonly expiresAt?: Date | null
}

const COLUMNS = `id, project_id AS "projectId", name, prefix, scopes, expires_at AS "expiresAt",
  last_used_at AS "lastUsedAt", revoked_at AS "revokedAt", created_at AS "createdAt"`

export async function createApiKey(db: Db, key: NewApiKey): Promise<ApiKey> {
  return first(
    await db.query<ApiKey>(
      `INSERT INTO api_key (id, project_id, name, prefix, hash, scopes, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
      [
        newId('apiKey'),
        key.projectId,
        key.name,
        key.prefix,
        key.hash,
        key.scopes,
        key.expiresAt ?? null,
      ],
    ),
  )
}

/** The key with that hash, whatever its state: see `isUsableApiKey`. */
export async function findApiKeyByHash(db: Db, hash: string): Promise<ApiKey | null> {
  return firstOrNull(
    await db.query<ApiKey>(`SELECT ${COLUMNS} FROM api_key WHERE hash = $1`, [hash]),
  )
}

export function isUsableApiKey(key: ApiKey, now: Date): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now)
}

/** Notes the use, at most once a minute, so that a busy key does not write a row per request. */
export async function touchApiKey(db: Db, id: string): Promise<void> {
  await db.query(
    `UPDATE api_key SET last_used_at = now()
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    [id],
  )
}

export async function revokeApiKey(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<ApiKey | null> {
  return firstOrNull(
    await db.query<ApiKey>(
      `UPDATE api_key SET revoked_at = coalesce(revoked_at, now())
       WHERE project_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
      [projectId, id],
    ),
  )
}

export async function listApiKeys(
  db: Db,
  { projectId, ...request }: PageRequest & { readonly projectId: string },
): Promise<Page<ApiKey>> {
  const where = conditions()
  where.add('project_id = ?', projectId)
  addPosition(where, request)
  const { rows } = await db.query<ApiKey>(
    `SELECT ${COLUMNS} FROM api_key WHERE ${where.text()} ${pageTail(request)}`,
    [...where.values],
  )
  return toPage(rows, request)
}
