// Models and datasets: what a project uploaded. Both live the same life (validating → ready or
// rejected → deleted) and have the same columns, so one repository serves both tables.
import type { Json, JsonObject } from '@pare/recipe'

import { queueStage } from './advance-job.js'
import { type Db, first, firstOrNull, type Tx } from './db.js'
import { newId } from './ids.js'
import { settleInspection } from './inspection.js'
import { toJson } from './json.js'
import { addPosition, conditions, type Page, type PageRequest, pageTail, toPage } from './page.js'
import type { Doorbell } from './plan.js'
import { transitionStage } from './stage-transitions.js'
import { doorbellOf, insertStage, type Stage, STAGE_COLUMNS } from './stages.js'
import { isTerminalStageState, type UploadState } from './states.js'

export interface Upload {
  readonly id: string
  readonly projectId: string
  readonly name: string
  /** Of the bytes as they were sent. */
  readonly sha256: string
  readonly sizeBytes: number
  readonly mediaType: string
  /** How to read the bytes (a dataset's `labels`); part of the identity. */
  readonly options: JsonObject
  readonly state: UploadState
  /** The normalised file that stages work on, when the inspection made one. */
  readonly canonicalSha256: string | null
  readonly canonicalSizeBytes: number | null
  /** What the inspection found: inputs, outputs, ops, … */
  readonly description: JsonObject | null
  /** Why it was rejected: serialised errors. */
  readonly reasons: readonly Json[] | null
  readonly createdAt: Date
  /** When it became ready or was rejected. */
  readonly settledAt: Date | null
  readonly deletedAt: Date | null
}
export type Model = Upload
export type Dataset = Upload

export interface NewUpload {
  readonly projectId: string
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly mediaType: string
  readonly options?: JsonObject
  /** The stage that inspects it; its input is the blob, under the role `model` or `dataset`. */
  readonly inspection: {
    readonly kind: string
    readonly params: JsonObject
    readonly engineVersion: string
  }
}

export interface CreatedUpload {
  readonly upload: Upload
  /** False when the project had these bytes already, validating or ready. */
  readonly created: boolean
  readonly ready: readonly Doorbell[]
}

export interface UploadFilter {
  readonly projectId: string
  /** Default: every state but `deleted`. */
  readonly states?: readonly UploadState[] | undefined
  readonly name?: string | undefined
  readonly sha256?: string | undefined
}

interface OwnedId {
  readonly projectId: string
  readonly id: string
}

export interface UploadRepository {
  /** Writes the row and queues its inspection; the same bytes give the row that is there. */
  readonly create: (tx: Tx, upload: NewUpload) => Promise<CreatedUpload>
  /** The project's row in any state; deleted ones too, since jobs refer to them. */
  readonly get: (db: Db, id: OwnedId) => Promise<Upload | null>
  /** The row, validating or ready, with these bytes and options. */
  readonly findByHash: (db: Db, key: UploadKey) => Promise<Upload | null>
  readonly list: (db: Db, request: UploadFilter & PageRequest) => Promise<Page<Upload>>
  /** Marks it deleted and stops its inspection; null when there is none that is not deleted. */
  readonly delete: (tx: Tx, id: OwnedId) => Promise<Upload | null>
  /** The stage that inspects it. */
  readonly inspection: (db: Db, id: string) => Promise<Stage | null>
}

export interface UploadKey {
  readonly projectId: string
  readonly sha256: string
  readonly options?: JsonObject
}

const COLUMNS = `id, project_id AS "projectId", name, sha256, size_bytes AS "sizeBytes",
  media_type AS "mediaType", options, state, canonical_sha256 AS "canonicalSha256",
  canonical_size_bytes AS "canonicalSizeBytes", description, reasons, created_at AS "createdAt",
  settled_at AS "settledAt", deleted_at AS "deletedAt"`

export const models = uploadRepository('model')
export const datasets = uploadRepository('dataset')

function uploadRepository(table: 'model' | 'dataset'): UploadRepository {
  return {
    create: (tx, upload) => create(table, tx, upload),
    get: (db, id) => get(table, db, id),
    findByHash: (db, key) => findByHash(table, db, key),
    list: (db, request) => list(table, db, request),
    delete: (tx, id) => remove(table, tx, id),
    inspection: (db, id) => inspection(table, db, id),
  }
}

type Table = 'model' | 'dataset'

async function create(table: Table, tx: Tx, upload: NewUpload): Promise<CreatedUpload> {
  const row = await insert(table, tx, upload)
  if (row === null) {
    const same = await findByHash(table, tx, upload)
    // Between the two statements the other row was rejected or deleted: now there is room.
    return same === null ? create(table, tx, upload) : { upload: same, created: false, ready: [] }
  }
  const stage = await insertStage(tx, {
    projectId: row.projectId,
    ...(table === 'model' ? { modelId: row.id } : { datasetId: row.id }),
    position: 0,
    plan: {
      name: 'inspect',
      kind: upload.inspection.kind,
      params: upload.inspection.params,
      inputs: [{ role: table, from: { blob: row.sha256 } }],
    },
    engineVersion: upload.inspection.engineVersion,
    seed: 0,
    priority: 'high',
  })
  const moved = await queueStage(tx, stage, [{ role: table, sha256: row.sha256 }])
  if (moved.state === 'queued') {
    return { upload: row, created: true, ready: [doorbellOf(moved)] }
  }
  await settleInspection(tx, moved)
  return { upload: (await get(table, tx, row)) ?? row, created: true, ready: [] }
}

async function insert(table: Table, tx: Tx, upload: NewUpload): Promise<Upload | null> {
  return firstOrNull(
    await tx.query<Upload>(
      `INSERT INTO ${table} (id, project_id, name, sha256, size_bytes, media_type, options)
       VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)
       ON CONFLICT (project_id, sha256, options) WHERE state IN ('validating', 'ready') DO NOTHING
       RETURNING ${COLUMNS}`,
      [
        newId(table),
        upload.projectId,
        upload.name,
        upload.sha256,
        upload.sizeBytes,
        upload.mediaType,
        toJson(upload.options ?? {}),
      ],
    ),
  )
}

async function get(table: Table, db: Db, { projectId, id }: OwnedId): Promise<Upload | null> {
  return firstOrNull(
    await db.query<Upload>(`SELECT ${COLUMNS} FROM ${table} WHERE project_id = $1 AND id = $2`, [
      projectId,
      id,
    ]),
  )
}

async function findByHash(table: Table, db: Db, key: UploadKey): Promise<Upload | null> {
  return firstOrNull(
    await db.query<Upload>(
      `SELECT ${COLUMNS} FROM ${table} WHERE project_id = $1 AND sha256 = $2
         AND options = $3::jsonb AND state IN ('validating', 'ready')`,
      [key.projectId, key.sha256, toJson(key.options ?? {})],
    ),
  )
}

async function list(
  table: Table,
  db: Db,
  request: UploadFilter & PageRequest,
): Promise<Page<Upload>> {
  const where = conditions()
  where.add('project_id = ?', request.projectId)
  where.add('state = ANY (?)', request.states ?? ['validating', 'ready', 'rejected'])
  if (request.name !== undefined) where.add('name = ?', request.name)
  if (request.sha256 !== undefined) where.add('sha256 = ?', request.sha256)
  addPosition(where, request)
  const { rows } = await db.query<Upload>(
    `SELECT ${COLUMNS} FROM ${table} WHERE ${where.text()} ${pageTail(request)}`,
    [...where.values],
  )
  return toPage(rows, request)
}

async function remove(table: Table, tx: Tx, { projectId, id }: OwnedId): Promise<Upload | null> {
  const { rows: stages } = await tx.query<Stage>(
    `SELECT ${STAGE_COLUMNS} FROM stage WHERE ${table}_id = $1 FOR UPDATE`,
    [id],
  )
  const deleted = await tx.query<Upload>(
    `UPDATE ${table} SET state = 'deleted', deleted_at = clock_timestamp()
     WHERE project_id = $1 AND id = $2 AND state <> 'deleted' RETURNING ${COLUMNS}`,
    [projectId, id],
  )
  if (deleted.rows.length === 0) return null
  for (const stage of stages) {
    if (!isTerminalStageState(stage.state)) await transitionStage(tx, stage, 'canceled')
  }
  return first(deleted)
}

async function inspection(table: Table, db: Db, id: string): Promise<Stage | null> {
  return firstOrNull(
    await db.query<Stage>(
      `SELECT ${STAGE_COLUMNS} FROM stage WHERE ${table}_id = $1 ORDER BY created_at DESC LIMIT 1`,
      [id],
    ),
  )
}
