/**
 * The catalogue of stages: one row per kind. Planner, worker, engine and tests take their types from
 * it. A row's module is loaded when the stage runs, so whoever only plans never loads an engine; each
 * module exports its function as `run`.
 */
import type { StatisticsKind } from '@pare/calibration'
import type {
  DatasetRole,
  JobRequest,
  MetricName,
  PlainStep,
  Recipe,
  StepOf,
  StepType,
  TargetIsa,
} from '@pare/recipe'

import type { StageSpec } from './stage-spec.js'

/** How a job judges: alike in every stage that does, so that all come to the same figure. */
export type Judged = {
  readonly metric: MetricName
  /** Output to judge; absent: the first. */
  readonly output?: string
  /** Name of the labels array. */
  readonly labels?: string
  readonly device: 'cpu' | 'cuda'
  readonly threads: number
}

/** An output that is judged and reported, and no constraint looks at. */
export type JudgedBeside = {
  readonly output: string
  readonly metric: MetricName
  readonly labels?: string
}

export type Judging = Judged & { readonly max_drop: number }

/** A step's parameters as the stage of the same name takes them. */
type OwnParams<Type extends StepType> = Omit<StepOf<Type>, 'type'>

export type ReportedStep = {
  readonly label: string
  readonly step: PlainStep
  /** Of a repeat. */
  readonly round?: number
  /** Whether the result was made from it. */
  readonly kept: boolean
}

export const STAGE_TABLE = {
  calibrate: stage<{
    readonly kind: StatisticsKind
    readonly samples: number
    readonly stop_below_drift: number
  }>()({
    inputs: { model: 'one', batch: 'optional', calibration: 'one', validation: 'optional' },
    outputs: ['statistics', 'data_quality'],
    usesDevice: true,
    module: () => import('./calibrate.js'),
  }),
  cluster_weights: stage<OwnParams<'cluster_weights'>>()({
    inputs: { model: 'one' },
    outputs: ['model', 'decisions'],
    usesDevice: false,
    module: () => import('./cluster-weights.js'),
  }),
  convert_float16: stage<OwnParams<'convert_float16'>>()({
    inputs: { model: 'one', shapes: 'one' },
    outputs: ['model', 'decisions'],
    usesDevice: false,
    module: () => import('./convert-float16.js'),
  }),
  evaluate: stage<Judged & { readonly also?: readonly JudgedBeside[] }>()({
    inputs: { original: 'one', prepared: 'one', result: 'one', data: 'one' },
    outputs: ['evaluation'],
    usesDevice: true,
    module: () => import('./evaluate.js'),
  }),
  inspect_dataset: stage<{ readonly labels?: string }>()({
    inputs: { dataset: 'one' },
    outputs: ['canonical'],
    usesDevice: false,
    module: () => import('./inspect-dataset.js'),
  }),
  inspect_model: stage<Readonly<Record<string, never>>>()({
    inputs: { model: 'one' },
    outputs: ['canonical'],
    usesDevice: false,
    module: () => import('./inspect-model.js'),
  }),
  measure: stage<
    Judged & {
      /** Whether to run the model over the data, for what was lost. */
      readonly judges: boolean
      /** Whether to measure how fast it is. */
      readonly times: boolean
    }
  >()({
    inputs: { original: 'one', result: 'one', data: 'one' },
    outputs: ['measurement'],
    usesDevice: true,
    module: () => import('./measure.js'),
  }),
  prepare: stage<{
    /** A float16 model stays one, for steps that store weights and do not compute in integers. */
    readonly keep_float16?: boolean
  }>()({
    inputs: { model: 'one', sample: 'one' },
    outputs: ['model', 'shapes', 'batch', 'decisions'],
    usesDevice: false,
    module: () => import('./prepare.js'),
  }),
  prune_weights: stage<OwnParams<'prune_weights'>>()({
    inputs: { model: 'one' },
    outputs: ['model', 'decisions'],
    usesDevice: false,
    module: () => import('./prune-weights.js'),
  }),
  quantize_dynamic: stage<OwnParams<'quantize_dynamic'> & { readonly isa: TargetIsa }>()({
    inputs: { model: 'one' },
    outputs: ['model', 'decisions'],
    usesDevice: false,
    module: () => import('./quantize-dynamic.js'),
  }),
  quantize_static: stage<
    OwnParams<'quantize_static'> & {
      readonly isa: TargetIsa
      /** Absent where the job sets no limit to the drop. */
      readonly judging?: Judging
    }
  >()({
    inputs: {
      ...{ model: 'one', shapes: 'one', statistics: 'one', calibration: 'one' },
      ...{ batch: 'optional', original: 'optional', data: 'optional' },
    },
    outputs: ['model', 'decisions'],
    usesDevice: true,
    module: () => import('./quantize-static.js'),
  }),
  quantize_weights: stage<OwnParams<'quantize_weights'>>()({
    inputs: { model: 'one', shapes: 'one', calibration: 'optional' },
    outputs: ['model', 'decisions'],
    usesDevice: true,
    module: () => import('./quantize-weights.js'),
  }),
  report: stage<{
    readonly metric: MetricName
    readonly output?: string
    /** Where several are judged: all, the one that constraints look at first. */
    readonly outputs?: readonly JudgedBeside[]
    /** Why no metric judges by labels. */
    readonly metric_reason?: string
    readonly constraints: JobRequest['constraints']
    readonly target: JobRequest['target']
    readonly recipe: Recipe
    /** Hashes of the datasets. */
    readonly datasets: Readonly<Partial<Record<DatasetRole, string>>>
    /** Every step that was taken, those of rounds that were given up too, in their order. */
    readonly steps: readonly ReportedStep[]
  }>()({
    inputs: {
      ...{ original: 'one', result: 'one', preparation: 'one', evaluation: 'one', data: 'one' },
      // By the label of their step.
      ...{ decisions: 'many', measurements: 'many' },
      ...{ statistics: 'optional', data_quality: 'optional' },
    },
    outputs: ['report', 'page'],
    usesDevice: false,
    module: () => import('./report.js'),
  }),
} as const

/** Binds a row to the type of its parameters; the rest of its type is read off the row. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- a type for the row
function stage<Params extends object>() {
  return <const Spec extends StageSpec>(spec: Spec): Spec & { readonly params?: Params } => spec
}

export type StageKind = keyof typeof STAGE_TABLE

export const STAGE_KINDS = Object.keys(STAGE_TABLE) as readonly StageKind[]

export function isStageKind(kind: string): kind is StageKind {
  return Object.hasOwn(STAGE_TABLE, kind)
}
