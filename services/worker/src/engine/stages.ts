// What an engine computes with. Packed as a file of its own too, for whoever runs stages without a
// worker: the benchmarks.
import { isStageKind } from '@pare/compression'
import { runStage as runKnownStage } from '@pare/compression/stages'

import { workerErrors } from '../errors.js'
import type { EngineDeps } from './run-engine.js'

export { loadStages } from '@pare/compression/stages'
export { onnxRuntime } from '@pare/inference/onnxruntime'

export const runStage: EngineDeps['runStage'] = (kind, order) => {
  if (isStageKind(kind)) return runKnownStage(kind, order)
  throw workerErrors.stage_kind_unknown(`there is no stage of kind "${kind}"`, {
    details: { kind },
  })
}
