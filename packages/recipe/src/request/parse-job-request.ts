// The edge where a job body becomes a JobRequest: every fault is found and pointed at in one go.
import { errors, type RequestFault } from '../errors.js'
import { isRecord } from '../json.js'
import { parseRecipe } from '../steps/parse-recipe.js'
import { TARGET_ISAS } from '../target.js'
import {
  DATASET_ROLES,
  type DatasetRole,
  DEVICES,
  JOB_DEFAULTS,
  type JobRequest,
  METRICS,
  PRIORITIES,
} from './job-request.js'

/**
 * Parses the body of `POST /v1/jobs`.
 * @throws job_request_invalid with `details.errors`: one RequestFault per problem.
 */
export function parseJobRequest(body: unknown): JobRequest {
  if (!isRecord(body)) throw errors.job_request_invalid('the body must be a JSON object')
  const reader = new FieldReader(body, '#')
  reader.knowsOnly(Object.keys(FIELDS))
  const request: JobRequest = {
    model: reader.text('model', 64) ?? reader.missing('model'),
    datasets: parseDatasets(reader.group('datasets')),
    recipe: parseRecipe(body['recipe'], reader.faults),
    evaluation: parseEvaluation(reader.group('evaluation')),
    constraints: parseConstraints(reader.group('constraints')),
    target: parseTarget(reader.group('target')),
    limits: parseLimits(reader.group('limits')),
    labels: parseLabels(reader.group('labels')),
    priority: reader.choice('priority', PRIORITIES) ?? JOB_DEFAULTS.priority,
    seed: reader.number('seed', { integer: true, min: 0, max: 0xffff_ffff }) ?? JOB_DEFAULTS.seed,
  }
  if (reader.faults.length > 0) throw invalid(reader.faults)
  return request
}

const FIELDS: Readonly<Record<keyof JobRequest | 'validate_only' | 'client_job_id', true>> = {
  model: true,
  datasets: true,
  recipe: true,
  evaluation: true,
  constraints: true,
  target: true,
  limits: true,
  labels: true,
  priority: true,
  seed: true,
  // These two steer the call, not the job; the API reads them.
  validate_only: true,
  client_job_id: true,
}

function invalid(faults: readonly RequestFault[]): Error {
  const summary = faults.map((fault) => `${fault.pointer}: ${fault.detail}`).join('; ')
  return errors.job_request_invalid(summary, { details: { errors: faults } })
}

function parseDatasets(reader: FieldReader): JobRequest['datasets'] {
  reader.knowsOnly(DATASET_ROLES)
  const datasets: Partial<Record<DatasetRole, string>> = {}
  for (const role of DATASET_ROLES) {
    const id = reader.text(role, 64)
    if (id !== undefined) datasets[role] = id
  }
  return datasets
}

function parseEvaluation(reader: FieldReader): JobRequest['evaluation'] {
  reader.knowsOnly(['metric', 'output'])
  const metric = reader.choice('metric', METRICS)
  const output = reader.text('output', 256)
  return {
    ...(metric === undefined ? {} : { metric }),
    ...(output === undefined ? {} : { output }),
  }
}

function parseConstraints(reader: FieldReader): JobRequest['constraints'] {
  reader.knowsOnly(['max_drop'])
  const maxDrop = reader.number('max_drop', { min: 0, max: 1 })
  return maxDrop === undefined ? {} : { max_drop: maxDrop }
}

function parseTarget(reader: FieldReader): JobRequest['target'] {
  reader.knowsOnly(['device', 'isa', 'threads'])
  return {
    device: reader.choice('device', DEVICES) ?? JOB_DEFAULTS.target.device,
    isa: reader.choice('isa', TARGET_ISAS) ?? JOB_DEFAULTS.target.isa,
    threads:
      reader.number('threads', { integer: true, min: 1, max: 256 }) ?? JOB_DEFAULTS.target.threads,
  }
}

function parseLimits(reader: FieldReader): JobRequest['limits'] {
  reader.knowsOnly(['max_run_seconds', 'max_queue_seconds'])
  const bounds = { integer: true, min: 1, max: 7 * 86_400 }
  return {
    max_run_seconds:
      reader.number('max_run_seconds', bounds) ?? JOB_DEFAULTS.limits.max_run_seconds,
    max_queue_seconds:
      reader.number('max_queue_seconds', bounds) ?? JOB_DEFAULTS.limits.max_queue_seconds,
  }
}

const MAX_LABELS = 32

function parseLabels(reader: FieldReader): JobRequest['labels'] {
  const names = Object.keys(reader.input)
  if (names.length > MAX_LABELS) reader.fault('', 'too_many', `at most ${MAX_LABELS} labels`)
  const labels = names.flatMap((name) => {
    const value = reader.text(name, 256)
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(labels)
}

/** Reads typed fields of one JSON object and collects what is wrong with them. */
class FieldReader {
  readonly input: Readonly<Record<string, unknown>>
  readonly faults: RequestFault[]
  readonly #pointer: string

  constructor(
    input: Readonly<Record<string, unknown>>,
    pointer: string,
    faults: RequestFault[] = [],
  ) {
    this.input = input
    this.faults = faults
    this.#pointer = pointer
  }

  fault(name: string, code: string, detail: string): void {
    const token = encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))
    const pointer = name === '' ? this.#pointer : `${this.#pointer}/${token}`
    this.faults.push({ pointer, code, detail })
  }

  missing(name: string): string {
    if (this.input[name] === undefined) this.fault(name, 'required', 'this field is required')
    return ''
  }

  knowsOnly(names: readonly string[]): void {
    for (const name of Object.keys(this.input)) {
      if (names.includes(name)) continue
      this.fault(name.slice(0, 64), 'unknown_field', `unknown field; known: ${names.join(', ')}`)
    }
  }

  group(name: string): FieldReader {
    const value = this.input[name]
    const group = isRecord(value) ? value : {}
    if (value !== undefined && !isRecord(value)) this.fault(name, 'invalid', 'expected an object')
    return new FieldReader(group, `${this.#pointer}/${name}`, this.faults)
  }

  text(name: string, maxLength: number): string | undefined {
    const value = this.input[name]
    if (value === undefined) return undefined
    if (typeof value === 'string' && value.length > 0 && value.length <= maxLength) return value
    this.fault(name, 'invalid', `expected a string of 1 to ${maxLength} characters`)
    return undefined
  }

  choice<const Choice extends string>(
    name: string,
    choices: readonly Choice[],
  ): Choice | undefined {
    const value = this.input[name]
    if (value === undefined) return undefined
    const choice = choices.find((candidate) => candidate === value)
    if (choice === undefined) this.fault(name, 'invalid', `expected one of ${choices.join(', ')}`)
    return choice
  }

  number(
    name: string,
    bounds: { readonly integer?: boolean; readonly min: number; readonly max: number },
  ): number | undefined {
    const value = this.input[name]
    if (value === undefined) return undefined
    const fits =
      typeof value === 'number' &&
      value >= bounds.min &&
      value <= bounds.max &&
      (bounds.integer !== true || Number.isInteger(value))
    if (fits) return value
    const kind = bounds.integer === true ? 'an integer' : 'a number'
    this.fault(name, 'invalid', `expected ${kind} from ${bounds.min} to ${bounds.max}`)
    return undefined
  }
}
