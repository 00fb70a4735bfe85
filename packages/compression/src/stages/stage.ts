/**
 * A stage is a pure function of its input files, parameters and seed: files in, files and metrics
 * out. It knows neither queue nor database nor store; the worker brings the inputs and takes the
 * outputs away. What it returns must not depend on the clock, so that a result found under the same
 * key is the same result. (Latency is a measurement, and is cached as what it is: one measurement.)
 */
import type { SerializedError } from '@pare/errors'
import type { InferenceRuntime } from '@pare/inference'
import type { JsonObject, StageProgress } from '@pare/recipe'

import type { STAGE_TABLE, StageKind } from './stage-table.js'

type Row<Kind extends StageKind> = (typeof STAGE_TABLE)[Kind]

export type StageParams<Kind extends StageKind> = NonNullable<Row<Kind>['params']>
/** Roles of the inputs that a kind takes. */
export type InputRole<Kind extends StageKind> = keyof Row<Kind>['inputs'] & string
export type OutputRole<Kind extends StageKind> = Row<Kind>['outputs'][number]

export interface StageInput {
  /** What the input is to the stage: `model`, `calibration`, `statistics`, … */
  readonly role: string
  readonly path: string
  readonly sha256: string
}

/** What every stage is given, whatever its kind; `Role`: the inputs that may be asked for. */
export interface StageSetting<Role extends string = never> {
  readonly inputs: readonly StageInput[]
  /** Never there: a type for the functions that read inputs by their role. */
  readonly takes?: (role: Role) => void
  readonly seed: number
  /** Private folder for outputs and scratch files. */
  readonly workDir: string
  /** Threads for heavy work; latency is measured at the target's own number. */
  readonly threads: number
  readonly device: 'cpu' | 'cuda'
  /** A model that would be larger as one .onnx file is written as a bundle. Default 2 GiB - 1. */
  readonly maxOnnxBytes?: number
  /** Sessions find the external data of a model in `workDir`. */
  readonly runtime: InferenceRuntime
  readonly onProgress: (progress: StageProgress) => void
}

/** What the engine process gives a stage. */
export interface StageContext<Kind extends StageKind> extends StageSetting<InputRole<Kind>> {
  readonly params: StageParams<Kind>
}

export interface StageOutput<Role extends string = string> {
  readonly role: Role
  /** A regular file inside `workDir`. */
  readonly path: string
  readonly mediaType: string
}

export interface StageResult<Role extends string = string> {
  readonly outputs: readonly StageOutput<Role>[]
  readonly metrics: JsonObject
  /** The outputs stand and are kept, but the job has failed: a constraint was not met. */
  readonly failure?: SerializedError
}

export type StageFunction<Kind extends StageKind> = (
  context: StageContext<Kind>,
) => Promise<StageResult<OutputRole<Kind>>>

/** The module of a kind. */
export interface RunsStage<Kind extends StageKind> {
  readonly run: StageFunction<Kind>
}
