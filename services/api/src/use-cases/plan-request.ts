// A job body against what the project has: parsed, looked up, planned. Everything that can be known
// to fail fails here, before a job exists.
import { type KnownDataset, type KnownModel, planJob } from '@pare/compression'
import { datasets, type Db, models, type Upload } from '@pare/database'
import { type DatasetRole, type JobPlan, type JobRequest, parseJobCreate } from '@pare/recipe'

import { errors } from '../errors.js'
import { viewRejection } from '../views/upload.js'

export interface PlannedRequest {
  readonly request: JobRequest
  readonly plan: JobPlan
  readonly clientJobId: string | null
  readonly validateOnly: boolean
}

/**
 * @throws job_request_invalid and the planner's errors with pointers; model_not_found,
 * model_not_ready, model_was_rejected and the same for datasets
 */
export async function planRequest(
  db: Db,
  projectId: string,
  body: unknown,
): Promise<PlannedRequest> {
  const { request, call } = parseJobCreate(body)
  const model = requireReady(MODEL_ERRORS, await models.get(db, { projectId, id: request.model }), {
    pointer: '#/model',
    id: request.model,
  })
  const known: Partial<Record<DatasetRole, KnownDataset>> = {}
  for (const [role, id] of Object.entries(request.datasets) as [DatasetRole, string][]) {
    const dataset = await datasets.get(db, { projectId, id })
    known[role] = knownDataset(
      requireReady(DATASET_ERRORS, dataset, { pointer: `#/datasets/${role}`, id }),
    )
  }
  const plan = planJob(request, { model: knownModel(model), datasets: known })
  const { client_job_id: clientJobId = null, validate_only: validateOnly } = call
  return { request, plan: { ...plan, seed: request.seed }, clientJobId, validateOnly }
}

interface UploadErrors {
  readonly what: 'model' | 'dataset'
  readonly missing: typeof errors.model_not_found
  readonly validating: typeof errors.model_not_found
  readonly rejected: typeof errors.model_not_found
}

const MODEL_ERRORS: UploadErrors = {
  what: 'model',
  missing: errors.model_not_found,
  validating: errors.model_not_ready,
  rejected: errors.model_was_rejected,
}

const DATASET_ERRORS: UploadErrors = {
  what: 'dataset',
  missing: errors.dataset_not_found,
  validating: errors.dataset_not_ready,
  rejected: errors.dataset_was_rejected,
}

function requireReady(
  { what, missing, validating, rejected }: UploadErrors,
  upload: Upload | null,
  { pointer, id }: { readonly pointer: string; readonly id: string },
): Upload {
  const name = `${what} ${id.slice(0, 64)}`
  const raise = (error: typeof missing, message: string, extra = {}) =>
    error(message, {
      details: { errors: [{ pointer, code: 'invalid', detail: message }], ...extra },
    })
  switch (upload?.state) {
    case 'ready':
      return upload
    case 'validating':
      throw raise(validating, `${name} is still being validated: wait until its state is ready`)
    case 'rejected': {
      const fault = what === 'model' ? 'model' : 'data'
      const reason = viewRejection(upload.reasons ?? [], fault)
      throw raise(rejected, `${name} was rejected: ${reason.detail}`, { rejection: reason })
    }
    default:
      throw raise(missing, `there is no ${name}`)
  }
}

/** The description was written by the inspection that made the upload ready. */
function knownModel({ sha256, canonicalSha256, description }: Upload): KnownModel {
  const written = description as KnownModel['description']
  return { sha256: canonicalSha256 ?? sha256, description: written }
}

function knownDataset({ sha256, canonicalSha256, description }: Upload): KnownDataset {
  const written = description as KnownDataset['description']
  return { sha256: canonicalSha256 ?? sha256, description: written }
}
