import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Optimize } from '@pare/quantization'

import type { StageSetting } from './stage.js'
import { RUNS_ONCE } from './stage-files.js'

const WEIGHTS_NAME = 'optimized.bin'

/**
 * Nobody reads the weights of an optimized model, so large ones go to a file beside it: one .onnx file
 * could not hold more than 2 GiB.
 */
const OPTIMIZED_WITHOUT_WEIGHTS = {
  'session.optimized_model_external_initializers_file_name': WEIGHTS_NAME,
  'session.optimized_model_external_initializers_min_size_in_bytes': String(1 << 16),
}

/** Lets onnxruntime optimize a model and reads what it made of it. */
export function optimizeWith(context: StageSetting): Optimize {
  const path = join(context.workDir, 'optimized.onnx')
  return async (model) => {
    const session = await context.runtime.createSession(model, {
      intraOpThreads: context.threads,
      optimizedModelPath: path,
      config: { ...OPTIMIZED_WITHOUT_WEIGHTS, ...RUNS_ONCE },
    })
    await session.release()
    const optimized = await readFile(path)
    await rm(path)
    await rm(join(context.workDir, WEIGHTS_NAME), { force: true })
    return optimized
  }
}
