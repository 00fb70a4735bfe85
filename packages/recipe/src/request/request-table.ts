// The body of `POST /v1/jobs`, every member with its limits, default and meaning.
import type { IdSpec, ParameterTable } from '../language/parameter.js'
import { METRIC_TABLE, type MetricName, METRICS } from '../metric-table.js'
import { STEP_TABLE } from '../steps/step-table.js'
import { DEVICES, TARGET_ISAS } from '../target.js'

export const PRIORITIES = ['low', 'normal', 'high'] as const
export type Priority = (typeof PRIORITIES)[number]

/** What datasets are for. */
export const DATASET_ROLES = ['calibration', 'training', 'validation'] as const
export type DatasetRole = (typeof DATASET_ROLES)[number]

const WEEK_IN_SECONDS = 7 * 86_400

function dataset(description: string) {
  return { type: 'id', prefix: 'dst', optional: true, description } as const satisfies IdSpec
}

const datasets = {
  calibration: dataset('What calibration looks at; labels are not needed.'),
  training: dataset('What training learns from.'),
  validation: dataset('What results are judged on; left out: the calibration data.'),
} as const satisfies Record<DatasetRole, IdSpec>

const metricWords = METRICS.map((name) => `${name}: ${METRIC_TABLE[name].description}`)

const metric = {
  type: 'choice',
  choices: METRICS,
  optional: true,
  description: `What is measured; left out: top1 where the data has a class per sample, accuracy where it has one per position or pixel, auroc where there are two classes and one score, else fidelity. ${metricWords.join('; ')}.`,
} as const

const judgedOutput = {
  output: { type: 'string', minLength: 1, maxLength: 256, description: 'Output of the model.' },
  metric,
  labels: {
    type: 'string',
    minLength: 1,
    maxLength: 256,
    optional: true,
    description: 'Array of the dataset with its labels; left out: the labels of the dataset.',
  },
} as const satisfies ParameterTable

const evaluation = {
  metric,
  output: {
    type: 'string',
    minLength: 1,
    maxLength: 256,
    optional: true,
    description:
      'Output of the model to judge; left out: of several the one that the labels belong to, by its number of classes, else the first. Where labels could belong to outputs of different sizes the job is refused until it is named.',
  },
  outputs: {
    type: 'list',
    maxItems: 32,
    optional: true,
    parameters: judgedOutput,
    description:
      'Several outputs to judge, each with a metric of its own, instead of metric. Constraints look at the one that output names, else at the first; the others are reported.',
  },
  each_step: {
    type: 'boolean',
    default: false,
    description:
      'Judge and time the model after every step of the recipe, not only at its end; sizes are always given.',
  },
} as const satisfies ParameterTable

/** Metrics whose loss is of this kind. */
function metricsLosing(kind: 'difference' | 'growth'): string {
  return METRICS.filter((name: MetricName) => METRIC_TABLE[name].drop === kind).join(', ')
}

const constraints = {
  max_drop: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    optional: true,
    description: `Largest accepted loss: of ${metricsLosing('difference')} as a fraction, 0.01 being one point; of ${metricsLosing('growth')} the growth relative to the original's.`,
  },
} as const satisfies ParameterTable

const target = {
  device: {
    type: 'choice',
    choices: DEVICES,
    default: 'cpu',
    description: 'What the result will run on.',
  },
  isa: {
    type: 'choice',
    choices: TARGET_ISAS,
    default: 'auto',
    description: 'The instruction set there, as far as integer arithmetic is concerned.',
  },
  threads: {
    type: 'integer',
    minimum: 1,
    maximum: 256,
    default: 1,
    description: 'Threads that it will run with; latency is measured so.',
  },
} as const satisfies ParameterTable

const limits = {
  max_run_seconds: {
    type: 'integer',
    minimum: 1,
    maximum: WEEK_IN_SECONDS,
    default: 3600,
    description: 'How long the job may run; after that it fails.',
  },
  max_queue_seconds: {
    type: 'integer',
    minimum: 1,
    maximum: WEEK_IN_SECONDS,
    default: 86_400,
    description: 'How long the job may wait before it begins; after that it expires.',
  },
} as const satisfies ParameterTable

const recipe = {
  steps: {
    type: 'steps',
    table: STEP_TABLE,
    ranged: false,
    maxItems: 32,
    description: 'What is done, in this order.',
  },
} as const satisfies ParameterTable

/** What the job is. */
export const REQUEST_TABLE = {
  model: { type: 'id', prefix: 'mdl', description: 'The model to compress.' },
  datasets: { type: 'group', parameters: datasets, description: 'Purpose → dataset' },
  recipe: {
    type: 'recipe',
    parameters: recipe,
    description: 'What to do to the model: an ordered list of steps',
  },
  evaluation: {
    type: 'group',
    parameters: evaluation,
    description: 'How original and result are judged.',
  },
  constraints: {
    type: 'group',
    parameters: constraints,
    description: 'What the result has to hold; else the job fails.',
  },
  target: { type: 'group', parameters: target, description: 'Where the result will be served.' },
  limits: { type: 'group', parameters: limits, description: 'How long the job may take.' },
  labels: {
    type: 'map',
    maxEntries: 32,
    maxLength: 256,
    description: 'Up to 32 names and values of your own, to find jobs by',
  },
  priority: {
    type: 'choice',
    choices: PRIORITIES,
    default: 'normal',
    description: 'Which jobs begin first.',
  },
  seed: {
    type: 'integer',
    minimum: 0,
    maximum: 0xffff_ffff,
    default: 0,
    description: 'Of everything random: the same request and seed give the same result.',
  },
} as const satisfies ParameterTable

/** What steers the call, and is no part of the job. */
export const CALL_TABLE = {
  client_job_id: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    optional: true,
    description: 'Your own name of the job, unique in the project for ever',
  },
  validate_only: {
    type: 'boolean',
    default: false,
    description: 'Check and plan, but accept nothing',
  },
} as const satisfies ParameterTable
