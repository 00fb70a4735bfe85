// Failures become problem details here and nowhere else: kind → status, what is masked, what may
// be tried again.
import { type Problem, PROBLEM_MEDIA_TYPE } from '@pare/contracts'
import type { ErrorKind, SerializedError } from '@pare/errors'

export { PROBLEM_MEDIA_TYPE }

const STATUS_OF_KIND = {
  invalid_input: 422,
  unsupported: 422,
  not_found: 404,
  conflict: 409,
  unauthorized: 401,
  forbidden: 403,
  limit_exceeded: 413,
  constraint_unmet: 422,
  timeout: 504,
  unavailable: 503,
  cancelled: 409,
  internal: 500,
} as const satisfies Record<ErrorKind, number>

/** Codes whose status says more than their kind: faults of the HTTP request itself. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  url_malformed: 400,
  request_malformed: 400,
  body_malformed: 400,
  body_required: 400,
  digest_mismatch: 400,
  parameter_invalid: 400,
  cursor_invalid: 400,
  idempotency_key_invalid: 400,
  media_type_unsupported: 415,
  range_not_satisfiable: 416,
  rate_limited: 429,
  too_many_streams: 429,
}

/** Codes that time alone cures, beside the kind `unavailable`. */
const RETRYABLE_CODES: ReadonlySet<string> = new Set([
  'rate_limited',
  'too_many_streams',
  'idempotency_key_in_progress',
  'model_not_ready',
  'dataset_not_ready',
  'report_not_ready',
])

/** Problem types that IANA has registered; all others have a page at /errors/{code}. */
const REGISTERED_TYPES: Readonly<Record<string, string>> = {
  rate_limited: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
}

export function statusOf({ kind, code }: Pick<SerializedError, 'kind' | 'code'>): number {
  return STATUS_OF_CODE[code] ?? STATUS_OF_KIND[kind]
}

export function isRetryable({ kind, code }: Pick<SerializedError, 'kind' | 'code'>): boolean {
  return kind === 'unavailable' || RETRYABLE_CODES.has(code)
}

/** @param requestId of the request that is answered; absent for the error of a job. */
export function toProblem(error: SerializedError, requestId?: string): Problem {
  const { code, fault, title } = error
  const parts = partsOf(error)
  const details = detailsOf(error)
  return {
    type: REGISTERED_TYPES[code] ?? `/errors/${code}`,
    title,
    status: statusOf(error),
    detail: detailOf(error, requestId),
    code,
    fault,
    retryable: isRetryable(error),
    ...(requestId === undefined
      ? {}
      : { instance: `urn:pare:request:${requestId}`, request_id: requestId }),
    ...(parts === undefined ? {} : { errors: parts }),
    ...(details === undefined ? {} : { details }),
  }
}

/** What went wrong inside is for the log: the caller gets the id to ask about. */
function detailOf(error: SerializedError, requestId: string | undefined): string {
  if (error.kind !== 'internal') return error.message
  const reference = requestId === undefined ? '' : ` It is logged as request ${requestId}.`
  return `The service failed; nothing is wrong with the request.${reference}`
}

function partsOf({ details, message, code }: SerializedError): Problem['errors'] {
  const { errors, pointer } = details
  if (Array.isArray(errors)) return errors as NonNullable<Problem['errors']>
  if (typeof pointer === 'string') return [{ detail: message, pointer, code }]
  return undefined
}

function detailsOf({ kind, details }: SerializedError): Problem['details'] {
  if (kind === 'internal') return undefined
  const rest = Object.entries(details).filter(([name]) => name !== 'errors' && name !== 'pointer')
  return rest.length === 0 ? undefined : Object.fromEntries(rest)
}
