// The embedded stack as a process: start, say where it is, stop on a signal within ten seconds.
import { coerceError } from '@pare/errors'

import { readConfig } from './config.js'
import { type RunningStandalone, startStandalone } from './start-standalone.js'

/** Later than this the process ends as it is; the next start recovers. */
const STOP_LIMIT_MS = 9_500

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function introduce({ url, apiKey }: RunningStandalone): void {
  const shown = apiKey.isNew ? apiKey.key : '$PARE_API_KEY'
  say(`Pare listens on ${url} (API documentation: ${url}/docs)`)
  if (apiKey.isNew) say(`API key, shown this once and kept in ${apiKey.path ?? ''}: ${apiKey.key}`)
  else if (apiKey.path !== undefined) say(`The API key is the one in ${apiKey.path}`)
  say(
    `Try: curl -H "authorization: Bearer ${shown}" --data-binary @examples/fashion-resnet.onnx "${url}/v1/models?name=resnet"`,
  )
}

function stopOnSignals(stack: RunningStandalone): void {
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
    stack.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`stopping failed: ${coerceError(error).message}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  // Started by another program over IPC (the demo, a test): when that is gone, so are we.
  process.on('disconnect', stop)
}

try {
  const stack = await startStandalone(readConfig())
  stopOnSignals(stack)
  introduce(stack)
  process.send?.({ url: stack.url })
} catch (error) {
  process.stderr.write(`Pare could not start: ${coerceError(error).message}\n`)
  process.exit(1)
}
