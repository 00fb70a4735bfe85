// A worker as a process of its own, with the test engine and short times. Run from the build.
import { fileURLToPath } from 'node:url'

import { readConfig, runWorker } from '../dist/index.js'

const config = readConfig()
const { close } = await runWorker({
  ...config,
  settings: {
    ...config.settings,
    enginePath: fileURLToPath(new URL('./test-engine.mjs', import.meta.url)),
    leaseMs: 1500,
    heartbeatMs: 300,
    reconcileMs: 200,
    ringAgainMs: 500,
  },
})
process.once('SIGTERM', () => void close().then(() => process.exit(0)))
process.send('ready')
