/**
 * A stage is a pure function of its input files, parameters and seed: files in, files and metrics
 * out. It knows neither queue nor database nor store; the worker brings the inputs and takes the
 * outputs away. What it returns must not depend on the clock, so that a result found under the same
 * key is the same result. (Latency is a measurement, and is cached as what it is: one measurement.)
 */
import type { SerializedError } from '@pare/errors'
import type { InferenceRuntime } from '@pare/inference'
import type { JsonObject, StageProgress } from '@pare/recipe'

export const STAGE_KINDS = [
  'inspect_model',
  'inspect_dataset',
  'prepare',
  'calibrate',
  'quantize_static',
  'quantize_dynamic',
  'quantize_weights',
  'convert_float16',
  'evaluate',
  'report',
] as const

export type StageKind = (typeof STAGE_KINDS)[number]

export interface StageInput {
  /** What the input is to the stage: `model`, `calibration`, `statistics`, … */
  readonly role: string
  readonly path: string
  readonly sha256: string
}

/** What the engine process gives a stage. */
export interface StageContext {
  readonly inputs: readonly StageInput[]
  readonly params: JsonObject
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

export interface StageOutput {
  readonly role: string
  /** A regular file inside `workDir`. */
  readonly path: string
  readonly mediaType: string
}

export interface StageResult {
  readonly outputs: readonly StageOutput[]
  readonly metrics: JsonObject
  /** The outputs stand and are kept, but the job has failed: a constraint was not met. */
  readonly failure?: SerializedError
}

export type StageFunction = (context: StageContext) => Promise<StageResult>
