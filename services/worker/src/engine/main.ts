// The entry of an engine process. Workers start it packed into one file (`scripts/pack-engine.mjs`).
import { runEngine } from './run-engine.js'
import { loadStages, onnxRuntime, runStage } from './stages.js'

// Before an order comes: engines wait for one with everything loaded.
await loadStages()
runEngine({ runStage, runtime: onnxRuntime() })
