// Stages as rows: reading, locking, inserting. State changes are in stage-transitions.ts.
import type { SerializedError } from '@pare/errors'
import type {
  Device,
  JsonObject,
  PlannedInput,
  PlannedStage,
  Priority,
  StageProgress,
} from '@pare/recipe'

import { type Db, first, firstOrNull, type Tx } from './db.js'
import { errors } from './errors.js'
import { newId } from './ids.js'
import { type Job, lockJob } from './jobs.js'
import { toJson } from './json.js'
import type { Doorbell, ResolvedInput, StageOutputs } from './plan.js'
import type { StageState } from './states.js'
import { STAGE_WAITING_FOR } from './worker-nodes.js'

export interface Stage {
  readonly id: string
  readonly projectId: string
  /** Exactly one of the three owners is not null. */
  readonly jobId: string | null
  readonly modelId: string | null
  readonly datasetId: string | null
  readonly position: number
  readonly name: string
  readonly kind: string
  readonly params: JsonObject
  readonly inputs: readonly PlannedInput[]
  /** Null while an input is not there yet. */
  readonly resolvedInputs: readonly ResolvedInput[] | null
  readonly engineVersion: string
  readonly seed: number
  readonly device: Device
  /** Known when the inputs are. */
  readonly key: string | null
  readonly priority: Priority
  readonly state: StageState
  /** Claims so far. */
  readonly attempt: number
  /** Attempts that infrastructure took. */
  readonly faults: number
  readonly token: number | null
  readonly worker: string | null
  readonly leaseExpiresAt: Date | null
  readonly availableAt: Date | null
  readonly fromCache: boolean
  readonly progress: StageProgress | null
  readonly metrics: JsonObject | null
  readonly outputs: StageOutputs | null
  /** The last failure; a stage that is queued again keeps it until it ends. */
  readonly error: SerializedError | null
  readonly createdAt: Date
  readonly queuedAt: Date | null
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
}

export const STAGE_COLUMNS = `id, project_id AS "projectId", job_id AS "jobId",
  model_id AS "modelId", dataset_id AS "datasetId", position, name, kind, params, inputs,
  resolved_inputs AS "resolvedInputs", engine_version AS "engineVersion", seed, device, key, priority,
  state, attempt, faults, token, worker, lease_expires_at AS "leaseExpiresAt",
  available_at AS "availableAt", from_cache AS "fromCache", progress, metrics, outputs, error,
  created_at AS "createdAt", queued_at AS "queuedAt", started_at AS "startedAt",
  finished_at AS "finishedAt"`

export interface StageOwner {
  readonly projectId: string
  readonly jobId?: string
  readonly modelId?: string
  readonly datasetId?: string
}

export interface NewStage extends StageOwner {
  readonly position: number
  readonly plan: PlannedStage
  readonly engineVersion: string
  readonly seed: number
  readonly priority: Priority
}

/** Proof that the caller holds the current attempt at a stage. */
export interface StageClaim {
  readonly stageId: string
  readonly token: number
}

export interface LockedStage {
  readonly stage: Stage
  /** Null for a stage that inspects a model or dataset. */
  readonly job: Job | null
}

export async function insertStage(tx: Tx, stage: NewStage): Promise<Stage> {
  const { plan } = stage
  return first(
    await tx.query<Stage>(
      `INSERT INTO stage (id, project_id, job_id, model_id, dataset_id, position, name, kind, params,
         inputs, engine_version, seed, priority, device)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb, $11, $12, $13, $14)
       RETURNING ${STAGE_COLUMNS}`,
      [
        newId('stage'),
        stage.projectId,
        stage.jobId ?? null,
        stage.modelId ?? null,
        stage.datasetId ?? null,
        stage.position,
        plan.name,
        plan.kind,
        toJson(plan.params),
        toJson(plan.inputs),
        stage.engineVersion,
        stage.seed,
        stage.priority,
        plan.device ?? 'cpu',
      ],
    ),
  )
}

export async function getStage(db: Db, id: string): Promise<Stage | null> {
  return firstOrNull(
    await db.query<Stage>(`SELECT ${STAGE_COLUMNS} FROM stage WHERE id = $1`, [id]),
  )
}

/** The job's stages in the order of its plan. */
export async function listStages(db: Db, jobId: string): Promise<readonly Stage[]> {
  const { rows } = await db.query<Stage>(
    `SELECT ${STAGE_COLUMNS} FROM stage WHERE job_id = $1 ORDER BY position`,
    [jobId],
  )
  return rows
}

export interface StageStatus extends Stage {
  /** `cuda worker`: what it waits for when nobody is there who could run it. */
  readonly waitingFor: string | null
}

/** The same for whoever looks at the job from outside. */
export async function listStageStatuses(db: Db, jobId: string): Promise<readonly StageStatus[]> {
  const { rows } = await db.query<StageStatus>(
    `SELECT ${STAGE_COLUMNS}, ${STAGE_WAITING_FOR} AS "waitingFor"
     FROM stage WHERE job_id = $1 ORDER BY position`,
    [jobId],
  )
  return rows
}

/** Locks the stage, and before it its job: one order everywhere, so no deadlock. */
export async function lockStage(tx: Tx, id: string): Promise<LockedStage | null> {
  const owner = await getStage(tx, id)
  if (owner === null) return null
  const job = owner.jobId === null ? null : await lockJob(tx, owner.jobId)
  const stage = first(
    await tx.query<Stage>(`SELECT ${STAGE_COLUMNS} FROM stage WHERE id = $1 FOR UPDATE`, [id]),
  )
  return { stage, job }
}

function isCurrent(stage: Stage, { token }: StageClaim): boolean {
  return stage.state === 'running' && stage.token === token
}

/** Locks the stage if the caller still holds it; null otherwise. */
export async function lockIfCurrent(tx: Tx, claim: StageClaim): Promise<LockedStage | null> {
  const locked = await lockStage(tx, claim.stageId)
  return locked !== null && isCurrent(locked.stage, claim) ? locked : null
}

/** Locks the stage for the holder of its current token; throws `stage_token_stale` for others. */
export async function lockCurrentStage(tx: Tx, claim: StageClaim): Promise<LockedStage> {
  const locked = await lockIfCurrent(tx, claim)
  if (locked !== null) return locked
  throw errors.stage_token_stale(
    `token ${claim.token} of stage ${claim.stageId} is no longer current: drop its result`,
    { details: { stage_id: claim.stageId, token: claim.token } },
  )
}

export function doorbellOf(stage: Stage, delayMs = 0): Doorbell {
  const { id, attempt, kind, priority, device } = stage
  return { stageId: id, attempt: attempt + 1, kind, priority, device, delayMs }
}

/** Doorbells of other stages that wait for the same key, so that they look again. */
export async function doorbellsOfSameKey(tx: Tx, stage: Stage): Promise<readonly Doorbell[]> {
  if (stage.key === null) return []
  const { rows } = await tx.query<Stage>(
    `SELECT ${STAGE_COLUMNS} FROM stage
     WHERE project_id = $1 AND key = $2 AND state = 'queued' AND id <> $3`,
    [stage.projectId, stage.key, stage.id],
  )
  return rows.map((row) => doorbellOf(row))
}
