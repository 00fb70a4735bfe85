// The entry of an engine process.
import { stageFunctions } from '@pare/compression/stages'
import { onnxRuntime } from '@pare/inference/onnxruntime'

import { runEngine } from './run-engine.js'

runEngine({ stageFunctions, runtime: onnxRuntime() })
