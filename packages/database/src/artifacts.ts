import type { JobPlan } from '@pare/recipe'

import { type Db, first, firstOrNull, type Tx } from './db.js'
import { newId } from './ids.js'
import type { StageOutput } from './plan.js'
import { listStages } from './stages.js'

export interface Artifact {
  readonly id: string
  readonly projectId: string
  readonly jobId: string
  readonly stageId: string
  /** `model`, `report`, … */
  readonly kind: string
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly mediaType: string
  readonly createdAt: Date
}

const COLUMNS = `id, project_id AS "projectId", job_id AS "jobId", stage_id AS "stageId", kind, name,
  sha256, size_bytes AS "sizeBytes", media_type AS "mediaType", created_at AS "createdAt"`

interface NewArtifact extends StageOutput {
  readonly projectId: string
  readonly jobId: string
  readonly stageId: string
  readonly kind: string
  readonly name: string
  readonly position: number
}

async function insertArtifact(tx: Tx, artifact: NewArtifact): Promise<Artifact> {
  return first(
    await tx.query<Artifact>(
      `INSERT INTO artifact (id, project_id, job_id, stage_id, kind, name, sha256, size_bytes,
         media_type, position)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ${COLUMNS}`,
      [
        newId('artifact'),
        artifact.projectId,
        artifact.jobId,
        artifact.stageId,
        artifact.kind,
        artifact.name,
        artifact.sha256,
        artifact.sizeBytes,
        artifact.mediaType,
        artifact.position,
      ],
    ),
  )
}

/** Makes artifacts of those planned outputs that exist; the caller decides whether one may lack. */
export async function insertPlannedArtifacts(
  tx: Tx,
  job: { readonly id: string; readonly projectId: string; readonly plan: JobPlan },
): Promise<readonly Artifact[]> {
  const stages = new Map((await listStages(tx, job.id)).map((stage) => [stage.name, stage]))
  const artifacts: Artifact[] = []
  for (const [position, planned] of job.plan.artifacts.entries()) {
    const stage = stages.get(planned.stage)
    const output = stage?.outputs?.[planned.role]
    if (stage === undefined || output === undefined) continue
    const { kind } = planned
    const name = fileName(planned.name, output.mediaType)
    const owner = { projectId: job.projectId, jobId: job.id, stageId: stage.id }
    artifacts.push(await insertArtifact(tx, { ...output, ...owner, kind, name, position }))
  }
  return artifacts
}

/** A model too large for one file comes as an archive, which its name has to say. */
function fileName(planned: string, mediaType: string): string {
  return mediaType === 'application/zip' ? planned.replace(/\.onnx$/, '.zip') : planned
}

/** The job's artifacts in the order of its plan. */
export async function listArtifacts(db: Db, jobId: string): Promise<readonly Artifact[]> {
  const { rows } = await db.query<Artifact>(
    `SELECT ${COLUMNS} FROM artifact WHERE job_id = $1 ORDER BY position`,
    [jobId],
  )
  return rows
}

export async function getArtifact(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<Artifact | null> {
  return firstOrNull(
    await db.query<Artifact>(`SELECT ${COLUMNS} FROM artifact WHERE project_id = $1 AND id = $2`, [
      projectId,
      id,
    ]),
  )
}
