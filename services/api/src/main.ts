// The API as a process of its own: config, start, stop on a signal.
import { coerceError } from '@pare/errors'
import { createLogger } from '@pare/observability'

import { readConfig } from './config.js'
import { startApi } from './start-api.js'

const boot = createLogger({ service: 'api', level: 'info' })

try {
  const config = readConfig()
  const logger = createLogger({ service: 'api', level: config.logLevel })
  const api = await startApi(config, { logger })
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return
    stopping = true
    logger.info({ signal }, 'api stops')
    api.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: coerceError(error) }, 'api did not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
} catch (error) {
  boot.fatal({ err: coerceError(error) }, 'api did not start')
  process.exit(1)
}
