// The entry of an engine process. Workers start it packed into one file (`scripts/pack-engine.mjs`).
import { runEngine } from './run-engine.js'
import { onnxRuntime, stageFunctions } from './stages.js'

runEngine({ stageFunctions, runtime: onnxRuntime() })
