// All that a job's result depends on, in one place.
import type { EvaluationResult } from '@pare/evaluation'
import { type JsonObject, toJsonObject } from '@pare/recipe'

import { ENGINE_VERSION } from '../engine-version.js'
import type { StageInput, StageParams } from '../stages/stage.js'
import type { Reproduce } from './report.js'

export interface ReproduceInput {
  readonly params: StageParams<'report'>
  readonly seed: number
  readonly inputs: readonly StageInput[]
  readonly environment: EvaluationResult['environment']
}

export function reproduce({ params, seed, inputs, environment }: ReproduceInput): Reproduce {
  const hashes = new Map(inputs.map(({ role, sha256 }) => [role, sha256]))
  const { cpu, runtime, device, threads } = environment
  return {
    request: requestOf(params, seed),
    inputs: { model: hashes.get('original') ?? '', ...params.datasets },
    outputs: { model: hashes.get('result') ?? '' },
    seed,
    engine_version: ENGINE_VERSION,
    runtime,
    processor: cpu,
    device,
    threads,
  }
}

function requestOf(params: StageParams<'report'>, seed: number): JsonObject {
  const { recipe, constraints, target, metric, output, outputs } = params
  const single = { metric, ...(output === undefined ? {} : { output }) }
  const evaluation = outputs === undefined ? single : { outputs }
  return toJsonObject({ recipe, constraints, target, evaluation, seed })
}
