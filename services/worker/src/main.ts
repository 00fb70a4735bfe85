// The worker as a process of its own: config, start, stop on a signal.
import { coerceError } from '@pare/errors'
import { createLogger } from '@pare/observability'

import { readConfig } from './config.js'
import { runWorker } from './run-worker.js'

const boot = createLogger({ service: 'worker', level: 'info' })

try {
  const config = readConfig()
  const logger = createLogger({ service: 'worker', level: config.logLevel })
  const { close } = await runWorker(config, { logger })
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return
    stopping = true
    logger.info({ signal }, 'worker stops')
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error: coerceError(error) }, 'worker did not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // Started by another program over IPC: when that is gone, nobody is left to stop us in order.
  process.on('disconnect', () => process.exit(1))
  process.send?.('ready')
} catch (error) {
  boot.fatal({ error: coerceError(error) }, 'worker did not start')
  process.exit(1)
}
