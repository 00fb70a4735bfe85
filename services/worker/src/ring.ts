import type { Doorbell as ReadyStage } from '@pare/database'
import { coerceError } from '@pare/errors'

import type { WorkerDeps } from './worker-deps.js'

/**
 * Rings for stages that a committed transaction made ready. It never throws: what is not heard now,
 * the reconciler rings again.
 */
export async function ringAll(
  { doorbell, logger }: Pick<WorkerDeps, 'doorbell' | 'logger'>,
  ready: readonly ReadyStage[],
  options: { readonly again?: boolean } = {},
): Promise<void> {
  for (const { stageId, attempt, delayMs, priority, device } of ready) {
    try {
      await doorbell.ring({ stageId, attempt }, { delayMs, priority, device, ...options })
    } catch (error) {
      logger.warn({ stageId, error: coerceError(error) }, 'ring failed')
    }
  }
}
