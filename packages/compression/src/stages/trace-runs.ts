// A session that keeps a profile: onnxruntime writes it to a folder, and the graph that it made.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

import type { Trace, TraceRuns } from '@pare/evaluation'

import type { StageSetting } from './stage.js'

/** Large weights stay out of the file of the graph, which could not hold more than 2 GiB. */
const WITHOUT_WEIGHTS = {
  'session.optimized_model_external_initializers_file_name': 'optimized.bin',
  'session.optimized_model_external_initializers_min_size_in_bytes': String(1 << 20),
}

/** More than this cannot be read at once; a loop with very many rounds writes so much. */
const MAX_TRACE_BYTES = 128 << 20

export function traceRuns({ runtime, workDir }: StageSetting): TraceRuns {
  return async (model, options, use) => {
    const folder = await mkdtemp(join(workDir, 'trace-'))
    try {
      const session = await runtime.createSession(model, {
        ...options,
        profileFilePrefix: join(folder, 'trace'),
        optimizedModelPath: join(folder, 'optimized.onnx'),
        config: { ...options.config, ...WITHOUT_WEIGHTS },
      })
      try {
        await use(session)
      } finally {
        session.endProfiling()
        await session.release()
      }
      return await readTraces(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function readTraces(folder: string): Promise<Trace | null> {
  // onnxruntime adds the time to the name.
  const name = (await readdir(folder)).find((file) => file.endsWith('.json'))
  if (name === undefined) return null
  const path = join(folder, name)
  if ((await stat(path)).size > MAX_TRACE_BYTES) return null
  const optimized = await readFile(join(folder, 'optimized.onnx')).catch(() => null)
  return { events: await readFile(path, 'utf8'), optimized }
}
