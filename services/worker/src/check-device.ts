import type { EnginePool } from './engine-pool.js'

/**
 * What an engine process on this machine can use. CUDA counts only when a model has run on it, which
 * is tried in an engine of its own: a broken driver may take the process with it.
 */
export async function checkDevice(
  engines: EnginePool,
  wanted: 'cpu' | 'cuda',
): Promise<readonly string[]> {
  if (wanted === 'cpu') return ['cpu']
  const engine = await engines.take()
  try {
    const end = await engine.process.run({ type: 'probe' })
    return end.end === 'probed' ? end.devices : ['cpu']
  } finally {
    await engines.release(engine)
  }
}
