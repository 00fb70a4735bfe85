import type { Device } from '@pare/recipe'

import type { EnginePool } from './engine-pool.js'

/**
 * Which of the wanted devices an engine process on this machine can use. CUDA counts only when a
 * model has run on it, which is tried in an engine of its own: a broken driver may take the process
 * with it.
 */
export async function checkDevices(
  engines: EnginePool,
  wanted: readonly Device[],
): Promise<readonly Device[]> {
  if (!wanted.includes('cuda')) return wanted
  const engine = await engines.take()
  try {
    const end = await engine.process.run({ type: 'probe' })
    const usable = end.end === 'probed' ? end.devices : ['cpu']
    return wanted.filter((device) => usable.includes(device))
  } finally {
    await engines.release(engine)
  }
}
