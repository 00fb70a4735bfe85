import {
  DATASET_ROLES,
  DEVICES,
  JOB_DEFAULTS,
  METRICS,
  PRIORITIES,
  TARGET_ISAS,
} from '@pare/recipe'
import { type Static, Type } from 'typebox'

import { Problem } from './problem.js'
import { Recipe } from './recipe.js'
import { AnyObject, idOf, Labels, nullable, ref, Timestamp, words } from './schema.js'

export const JOB_STATES = [
  'queued',
  'running',
  'finalizing',
  'canceling',
  'succeeded',
  'failed',
  'canceled',
  'expired',
] as const
export const TERMINAL_JOB_STATES = ['succeeded', 'failed', 'canceled', 'expired'] as const

const MAX_SECONDS = 7 * 86_400

const strict = { additionalProperties: false } as const

const Datasets = Type.Object(
  Object.fromEntries(DATASET_ROLES.map((role) => [role, Type.Optional(idOf('dst'))])),
  { ...strict, description: 'Purpose → dataset' },
)

/** The body of `POST /v1/jobs`. `parseJobRequest` checks it, so that every fault has a pointer. */
export const JobCreate = Type.Object(
  {
    model: idOf('mdl'),
    datasets: Type.Optional(Datasets),
    recipe: ref(Recipe),
    evaluation: Type.Optional(
      Type.Object(
        {
          metric: Type.Optional(
            words(METRICS, {
              description: 'Default: top1 where the data has integer labels, else fidelity',
            }),
          ),
          output: Type.Optional(
            Type.String({
              maxLength: 256,
              description: 'Model output to judge; default: the first',
            }),
          ),
        },
        strict,
      ),
    ),
    constraints: Type.Optional(
      Type.Object(
        {
          max_drop: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'Largest accepted loss: 0.01 is one point of accuracy',
            }),
          ),
        },
        strict,
      ),
    ),
    target: Type.Optional(
      Type.Object(
        {
          device: Type.Optional(words(DEVICES, { default: JOB_DEFAULTS.target.device })),
          isa: Type.Optional(words(TARGET_ISAS, { default: JOB_DEFAULTS.target.isa })),
          threads: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 256, default: JOB_DEFAULTS.target.threads }),
          ),
        },
        strict,
      ),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          max_run_seconds: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: MAX_SECONDS,
              default: JOB_DEFAULTS.limits.max_run_seconds,
            }),
          ),
          max_queue_seconds: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: MAX_SECONDS,
              default: JOB_DEFAULTS.limits.max_queue_seconds,
            }),
          ),
        },
        strict,
      ),
    ),
    labels: Type.Optional(Labels),
    priority: Type.Optional(words(PRIORITIES, { default: JOB_DEFAULTS.priority })),
    seed: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 0xffff_ffff, default: JOB_DEFAULTS.seed }),
    ),
    client_job_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'Your own name of the job, unique in the project for ever',
      }),
    ),
    validate_only: Type.Optional(
      Type.Boolean({ description: 'Check and plan, but accept nothing', default: false }),
    ),
  },
  { $id: 'JobCreate', ...strict },
)
export type JobCreate = Static<typeof JobCreate>

/** The body of `POST /v1/jobs/{id}/clone`: members replace those of the original request. */
export const JobOverrides = Type.Unsafe<Readonly<Partial<JobCreate>>>({
  ...JobCreate,
  $id: 'JobOverrides',
  required: [],
  description: 'Members given here replace those of the original request',
})

export const JobProgress = Type.Object({
  fraction: Type.Number({ minimum: 0, maximum: 1, description: 'Of all stages' }),
  stage: Type.String(),
  done: Type.Number(),
  total: Type.Number(),
  unit: Type.String(),
  message: Type.Optional(Type.String()),
})

export const StageSummary = Type.Object({
  name: Type.String(),
  kind: Type.String(),
  state: words(['blocked', 'queued', 'running', 'succeeded', 'failed', 'canceled']),
  attempt: Type.Integer(),
  from_cache: Type.Boolean(),
})

export const Job = Type.Object(
  {
    id: idOf('job'),
    state: words(JOB_STATES),
    model: idOf('mdl'),
    datasets: Type.Unsafe<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string' },
    }),
    recipe: AnyObject,
    evaluation: AnyObject,
    constraints: AnyObject,
    target: AnyObject,
    limits: AnyObject,
    labels: Labels,
    priority: words(PRIORITIES),
    seed: Type.Integer(),
    client_job_id: nullable(Type.String()),
    parent_job: nullable(Type.String()),
    progress: nullable(JobProgress),
    stages: Type.Array(StageSummary),
    event_seq: Type.Integer({ description: 'Sequence number of the last event' }),
    timings: Type.Object({
      created_at: Timestamp,
      started_at: nullable(Timestamp),
      finished_at: nullable(Timestamp),
      queue_deadline_at: nullable(Timestamp),
      run_deadline_at: nullable(Timestamp),
      queue_seconds: nullable(Type.Number()),
      run_seconds: nullable(
        Type.Number({
          description:
            'Wall time in which at least one stage ran, so far: what max_run_seconds limits',
        }),
      ),
    }),
    report: nullable(
      Type.Unsafe<Readonly<Record<string, unknown>>>({
        ...AnyObject,
        description: 'The headline figures, as soon as they are known',
      }),
    ),
    error: nullable(ref(Problem)),
    created_at: Timestamp,
    links: Type.Object({
      self: Type.String(),
      events: Type.String(),
      stages: Type.String(),
      artifacts: Type.String(),
      report: Type.String(),
    }),
  },
  { $id: 'Job', description: 'One compression request and what became of it' },
)
export type Job = Static<typeof Job>

/** The answer to `validate_only`. */
export const JobPreview = Type.Object(
  {
    valid: Type.Literal(true),
    request: AnyObject,
    stages: Type.Array(Type.Object({ name: Type.String(), kind: Type.String() })),
    artifacts: Type.Array(Type.Object({ name: Type.String(), kind: Type.String() })),
    engine_version: Type.String(),
  },
  { $id: 'JobPreview', description: 'What the job would do' },
)
export type JobPreview = Static<typeof JobPreview>
