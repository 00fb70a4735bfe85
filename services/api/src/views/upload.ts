import type { Dataset as DatasetView, Model as ModelView } from '@pare/contracts'
import type { Dataset, Model, Upload } from '@pare/database'
import type { SerializedError } from '@pare/errors'
import type { Json, JsonObject } from '@pare/recipe'

import { errors } from '../errors.js'
import { toProblem } from '../problem.js'

export function viewModel(model: Model): ModelView {
  const found = (model.description ?? {}) as Partial<ModelView>
  return {
    id: model.id,
    ...viewUpload(model, 'model'),
    inputs: found.inputs ?? null,
    outputs: found.outputs ?? null,
    op_types: found.op_types ?? null,
    parameters: found.parameters ?? null,
    nodes: found.nodes ?? null,
    description: model.description,
  }
}

export function viewDataset(dataset: Dataset): DatasetView {
  const found = (dataset.description ?? {}) as {
    readonly samples?: number
    readonly arrays?: DatasetView['arrays']
    readonly labels?: { readonly name: string } | null
  }
  const wanted = dataset.options['labels']
  return {
    id: dataset.id,
    ...viewUpload(dataset, 'data'),
    labels: found.labels?.name ?? (typeof wanted === 'string' ? wanted : null),
    samples: found.samples ?? null,
    arrays: found.arrays ?? null,
    description: dataset.description,
  }
}

function viewUpload(upload: Upload, fault: 'model' | 'data') {
  return {
    name: upload.name,
    state: upload.state === 'deleted' ? ('rejected' as const) : upload.state,
    sha256: upload.sha256,
    size_bytes: upload.sizeBytes,
    media_type: upload.mediaType,
    created_at: upload.createdAt.toISOString(),
    settled_at: upload.settledAt?.toISOString() ?? null,
    error: upload.reasons === null ? null : viewRejection(upload.reasons, fault),
  }
}

/** One reason is the problem itself; several are parts of it, the first one giving the code. */
export function viewRejection(
  reasons: readonly Json[],
  fault: 'model' | 'data',
): NonNullable<ModelView['error']> {
  const [first, ...others] = reasons.map((reason) => asError(reason, fault))
  if (first === undefined) throw new Error('an upload was rejected without a reason')
  const problem = toProblem(first)
  if (others.length === 0) return problem
  return {
    ...problem,
    errors: [first, ...others].map(({ code, message }) => ({ code, detail: message })),
  }
}

function asError(reason: Json, fault: 'model' | 'data'): SerializedError {
  const base = {
    code: 'upload_rejected',
    kind: 'invalid_input',
    fault,
    title: errors.rows.upload_rejected.title,
    message: typeof reason === 'string' ? reason : JSON.stringify(reason),
    details: {},
  } as const
  // An inspection writes SerializedErrors; its list of reasons may also hold plain sentences.
  return isObject(reason) ? { ...base, ...reason } : base
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
