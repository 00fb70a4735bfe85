import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Optimize } from '@pare/quantization'

import type { StageContext } from './stage.js'

/** Lets onnxruntime optimize a model and reads what it made of it. */
export function optimizeWith(context: StageContext): Optimize {
  const path = join(context.workDir, 'optimized.onnx')
  return async (model) => {
    const session = await context.runtime.createSession(model, {
      intraOpThreads: context.threads,
      optimizedModelPath: path,
    })
    await session.release()
    const optimized = await readFile(path)
    await rm(path)
    return optimized
  }
}
