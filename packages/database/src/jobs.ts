// Jobs as rows: reading, listing, locking, inserting. State changes are in job-transitions.ts.
import type { SerializedError } from '@pare/errors'
import type { JobPlan, JsonObject, Priority } from '@pare/recipe'

import { type Db, first, firstOrNull, type Tx } from './db.js'
import { newId } from './ids.js'
import { toJson } from './json.js'
import { addPosition, conditions, type Page, type PageRequest, pageTail, toPage } from './page.js'
import type { JobProgress } from './plan.js'
import type { JobState } from './states.js'
import { JOB_WAITING_FOR } from './worker-nodes.js'

export type Labels = Readonly<Record<string, string>>

export interface Job {
  readonly id: string
  readonly projectId: string
  readonly clientJobId: string | null
  readonly parentJobId: string | null
  readonly modelId: string
  /** Purpose (`calibration`, `validation`, …) → dataset id. */
  readonly datasetIds: Readonly<Record<string, string>>
  readonly state: JobState
  /** The accepted request as the caller gave it, with defaults. */
  readonly request: JsonObject
  readonly plan: JobPlan
  readonly labels: Labels
  readonly priority: Priority
  readonly maxQueueSeconds: number | null
  readonly maxRunSeconds: number | null
  readonly queueDeadlineAt: Date | null
  /** Null while no stage runs. */
  readonly runDeadlineAt: Date | null
  /** Wall time in which at least one stage ran, until now; null before the job has begun. */
  readonly runSeconds: number | null
  readonly progress: JobProgress | null
  readonly error: SerializedError | null
  /** Sequence number of the job's last event. */
  readonly eventSeq: number
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly cancelRequestedAt: Date | null
  readonly finishedAt: Date | null
}

export interface NewJob {
  readonly projectId: string
  readonly modelId: string
  readonly datasetIds: Readonly<Record<string, string>>
  readonly request: JsonObject
  readonly plan: JobPlan
  readonly labels?: Labels
  readonly priority?: Priority
  readonly maxQueueSeconds?: number | null
  readonly maxRunSeconds?: number | null
  readonly clientJobId?: string | null
  readonly parentJobId?: string | null
}

export const JOB_COLUMNS = `id, project_id AS "projectId", client_job_id AS "clientJobId",
  parent_job_id AS "parentJobId", model_id AS "modelId", dataset_ids AS "datasetIds", state, request,
  plan, labels, priority, max_queue_seconds AS "maxQueueSeconds",
  max_run_seconds AS "maxRunSeconds", queue_deadline_at AS "queueDeadlineAt",
  run_deadline_at AS "runDeadlineAt",
  CASE WHEN started_at IS NOT NULL THEN (run_ms / 1000.0 + greatest(0, coalesce(
    extract(epoch FROM clock_timestamp()::timestamptz(3) - running_since), 0)))::float8
  END AS "runSeconds", progress, error, event_seq AS "eventSeq",
  created_at AS "createdAt", started_at AS "startedAt",
  cancel_requested_at AS "cancelRequestedAt", finished_at AS "finishedAt"`

export interface JobFilter {
  readonly projectId: string
  readonly states?: readonly JobState[] | undefined
  /** Every one of these labels with these values. */
  readonly labels?: Labels | undefined
  readonly modelId?: string | undefined
  readonly parentJobId?: string | undefined
  readonly clientJobId?: string | undefined
  /** Inclusive. */
  readonly createdFrom?: Date | undefined
  /** Exclusive. */
  readonly createdBefore?: Date | undefined
}

/** The project's job; another project's id gives null. */
export async function getJob(
  db: Db,
  { projectId, id }: { readonly projectId: string; readonly id: string },
): Promise<Job | null> {
  return firstOrNull(
    await db.query<Job>(`SELECT ${JOB_COLUMNS} FROM job WHERE project_id = $1 AND id = $2`, [
      projectId,
      id,
    ]),
  )
}

export interface ListedJob extends Job {
  /** As in `JobStatus`. */
  readonly waitingFor: string | null
}

export async function listJobs(db: Db, request: JobFilter & PageRequest): Promise<Page<ListedJob>> {
  const where = conditions()
  where.add('project_id = ?', request.projectId)
  if (request.states !== undefined) where.add('state = ANY (?)', request.states)
  if (request.labels !== undefined) where.add('labels @> ?::jsonb', toJson(request.labels))
  if (request.modelId !== undefined) where.add('model_id = ?', request.modelId)
  if (request.parentJobId !== undefined) where.add('parent_job_id = ?', request.parentJobId)
  if (request.clientJobId !== undefined) where.add('client_job_id = ?', request.clientJobId)
  if (request.createdFrom !== undefined) where.add('created_at >= ?', request.createdFrom)
  if (request.createdBefore !== undefined) where.add('created_at < ?', request.createdBefore)
  addPosition(where, request)
  const { rows } = await db.query<ListedJob>(
    `SELECT ${JOB_COLUMNS}, ${JOB_WAITING_FOR} AS "waitingFor"
     FROM job WHERE ${where.text()} ${pageTail(request)}`,
    [...where.values],
  )
  return toPage(rows, request)
}

/** Takes the job's row lock, which orders every change of the job and its stages. */
export async function lockJob(tx: Tx, id: string): Promise<Job | null> {
  return firstOrNull(
    await tx.query<Job>(`SELECT ${JOB_COLUMNS} FROM job WHERE id = $1 FOR UPDATE`, [id]),
  )
}

/** Inserts the row; null when the project has a job with that client_job_id. */
export async function insertJob(tx: Tx, job: NewJob): Promise<Job | null> {
  const result = await tx.query<Job>(
    `INSERT INTO job (id, project_id, model_id, dataset_ids, request, plan, labels, priority,
       max_queue_seconds, max_run_seconds, client_job_id, parent_job_id, queue_deadline_at)
     VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6::jsonb, $7::jsonb, $8, $9::integer, $10::integer,
       $11, $12, now() + $9::integer * interval '1 second')
     ON CONFLICT (project_id, client_job_id) WHERE client_job_id IS NOT NULL DO NOTHING
     RETURNING ${JOB_COLUMNS}`,
    [
      newId('job'),
      job.projectId,
      job.modelId,
      toJson(job.datasetIds),
      toJson(job.request),
      toJson(job.plan),
      toJson(job.labels ?? {}),
      job.priority ?? 'normal',
      job.maxQueueSeconds ?? null,
      job.maxRunSeconds ?? null,
      job.clientJobId ?? null,
      job.parentJobId ?? null,
    ],
  )
  return firstOrNull(result)
}

export async function getJobByClientId(
  tx: Tx,
  { projectId, clientJobId }: { readonly projectId: string; readonly clientJobId: string },
): Promise<Job> {
  return first(
    await tx.query<Job>(
      `SELECT ${JOB_COLUMNS} FROM job WHERE project_id = $1 AND client_job_id = $2`,
      [projectId, clientJobId],
    ),
  )
}
