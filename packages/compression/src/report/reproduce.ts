// All that a job's result depends on, in one place.
import type { EvaluationResult } from '@pare/evaluation'
import type { Json, JsonObject } from '@pare/recipe'

import { ENGINE_VERSION } from '../engine-version.js'
import type { StageInput } from '../stages/stage.js'
import type { Reproduce } from './report.js'

export interface ReproduceInput {
  readonly params: JsonObject
  readonly seed: number
  readonly inputs: readonly StageInput[]
  readonly environment: EvaluationResult['environment']
}

export function reproduce({ params, seed, inputs, environment }: ReproduceInput): Reproduce {
  const hashes = new Map(inputs.map(({ role, sha256 }) => [role, sha256]))
  const datasets = (params['datasets'] ?? {}) as Readonly<Record<string, string>>
  const { cpu, runtime, device, threads } = environment
  return {
    request: requestOf(params, seed),
    inputs: { model: hashes.get('original') ?? '', ...datasets },
    outputs: { model: hashes.get('result') ?? '' },
    seed,
    engine_version: ENGINE_VERSION,
    runtime,
    processor: cpu,
    device,
    threads,
  }
}

function requestOf(params: JsonObject, seed: number): JsonObject {
  const { recipe = null, constraints = {}, target = {}, metric = null, output } = params
  const evaluation: Record<string, Json> = { metric }
  if (output !== undefined) evaluation['output'] = output
  return { recipe, constraints, target, evaluation, seed }
}
