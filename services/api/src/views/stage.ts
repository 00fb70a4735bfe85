import type { Stage as StageView } from '@pare/contracts'
import type { StageStatus } from '@pare/database'

import { toProblem } from '../problem.js'
import { secondsBetween, timeOf } from './job.js'

export function viewStage(stage: StageStatus): StageView {
  return {
    id: stage.id,
    name: stage.name,
    kind: stage.kind,
    state: stage.state,
    attempt: stage.attempt,
    from_cache: stage.fromCache,
    waiting_for: stage.waitingFor,
    device: stage.device,
    key: stage.key,
    params: stage.params,
    seed: stage.seed,
    engine_version: stage.engineVersion,
    inputs: stage.resolvedInputs === null ? null : [...stage.resolvedInputs],
    outputs: viewOutputs(stage.outputs),
    progress: stage.progress === null ? null : { ...stage.progress },
    metrics: stage.metrics,
    error: stage.error === null ? null : toProblem(stage.error),
    created_at: stage.createdAt.toISOString(),
    queued_at: timeOf(stage.queuedAt),
    started_at: timeOf(stage.startedAt),
    finished_at: timeOf(stage.finishedAt),
    run_seconds: secondsBetween(stage.startedAt, stage.finishedAt),
  }
}

function viewOutputs(outputs: StageStatus['outputs']): StageView['outputs'] {
  if (outputs === null) return null
  return Object.entries(outputs).map(([role, { sha256, sizeBytes, mediaType }]) => ({
    role,
    sha256,
    size_bytes: sizeBytes,
    media_type: mediaType,
  }))
}
