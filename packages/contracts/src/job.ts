import { CALL_TABLE, type JobCall, type JobRequest, PRIORITIES, REQUEST_TABLE } from '@pare/recipe'
import { type Static, Type } from 'typebox'

import { Problem } from './problem.js'
import { Recipe, type RecipeInput } from './recipe.js'
import { AnyObject, idOf, Labels, nullable, ref, Timestamp, words } from './schema.js'
import { type JsonSchema, tableSchema } from './table-schema.js'

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

const { properties, ...table } = tableSchema({ ...REQUEST_TABLE, ...CALL_TABLE })

/** Members that have a default may be left out, in groups too. */
type Given<Value> =
  Value extends Readonly<Record<string, unknown>>
    ? { readonly [Name in keyof Value]?: Given<Value[Name]> }
    : Value

export type JobCreate = Pick<JobRequest, 'model'> & { readonly recipe: RecipeInput } & Given<
    Omit<JobRequest, 'model' | 'recipe'> & JobCall
  >

/** The body of `POST /v1/jobs`; made from the tables of `@pare/recipe`, which also parse it. */
export const JobCreate = Type.Unsafe<JobCreate>({
  ...table,
  $id: 'JobCreate',
  properties: { ...(properties as JsonSchema), recipe: ref(Recipe) },
})

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

const WaitingFor = Type.String({
  description: 'What it waits for when no worker is known that could run it',
  examples: ['cuda worker'],
})

export const StageSummary = Type.Object({
  name: Type.String(),
  kind: Type.String(),
  state: words(['blocked', 'queued', 'running', 'succeeded', 'failed', 'canceled']),
  attempt: Type.Integer(),
  from_cache: Type.Boolean(),
  waiting_for: nullable(WaitingFor),
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
    waiting_for: nullable(WaitingFor),
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
    stages: Type.Array(Type.Object({ name: Type.String(), kind: Type.String() }), {
      description: 'What is decided before anything has run',
    }),
    expected_stages: Type.Integer({
      description:
        'How many there will be at most: more than `stages` where rounds decide what follows',
    }),
    artifacts: Type.Array(Type.Object({ name: Type.String(), kind: Type.String() })),
    engine_version: Type.String(),
  },
  { $id: 'JobPreview', description: 'What the job would do' },
)
export type JobPreview = Static<typeof JobPreview>
