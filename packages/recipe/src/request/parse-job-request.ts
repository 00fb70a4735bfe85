// The edge where a job body becomes a JobRequest: every fault is found and pointed at in one go.
import { errors, type RequestFault } from '../errors.js'
import { isRecord } from '../json.js'
import type { StepSpec } from '../language/parameter.js'
import { parseTable } from '../language/parse-table.js'
import { checkStepOrder } from '../steps/step-order.js'
import { STEP_TABLE } from '../steps/step-table.js'
import type { JobCall, JobRequest } from './job-request.js'
import { CALL_TABLE, REQUEST_TABLE } from './request-table.js'

export interface JobCreate {
  readonly request: JobRequest
  readonly call: JobCall
}

/**
 * Parses the body of `POST /v1/jobs`. What was parsed is parsed to itself.
 * @throws job_request_invalid where a member is not what the tables say, recipe_invalid where the
 * recipe does not fit together; each with `details.errors`: one RequestFault per problem.
 */
export function parseJobCreate(body: unknown): JobCreate {
  if (!isRecord(body)) throw errors.job_request_invalid('the body must be a JSON object')
  const faults: RequestFault[] = []
  const place = { pointer: '#', faults, inStep: false, ranged: false }
  const values = parseTable({ ...REQUEST_TABLE, ...CALL_TABLE }, body, place)
  if (faults.length > 0) throw errors.job_request_invalid(...explained(faults))
  const { client_job_id, validate_only, ...request } = values
  const misfits = [...checkStepOrder(request.recipe.steps), ...missingConstraints(request)]
  if (misfits.length > 0) throw errors.recipe_invalid(...explained(misfits))
  const call = client_job_id === undefined ? { validate_only } : { client_job_id, validate_only }
  return { request, call }
}

/** The job that a body asks for. @throws as parseJobCreate */
export function parseJobRequest(body: unknown): JobRequest {
  return parseJobCreate(body).request
}

function explained(
  faults: readonly RequestFault[],
): [string, { details: { errors: readonly RequestFault[] } }] {
  const summary = faults.map((fault) => `${fault.pointer}: ${fault.detail}`).join('; ')
  return [summary, { details: { errors: faults } }]
}

/** Constraints that a step cannot do without. */
function missingConstraints({ recipe, constraints }: JobRequest): readonly RequestFault[] {
  const needs = recipe.steps.flatMap(({ type }) => {
    const { needsConstraint: name }: StepSpec = STEP_TABLE[type]
    return name === undefined || constraints[name] !== undefined ? [] : [{ type, name }]
  })
  const [first] = needs
  if (first === undefined) return []
  const { type, name } = first
  const detail = `${type} goes on until this constraint would break: name it, such as 0.01`
  return [{ pointer: `#/constraints/${name}`, code: 'constraint_required', detail }]
}
