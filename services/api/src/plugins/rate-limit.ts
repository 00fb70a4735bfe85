// Requests per API key in fixed windows of a minute, counted in this process: with several API
// processes the limit multiplies. Headers as in draft-ietf-httpapi-ratelimit-headers-10.
import fp from 'fastify-plugin'

import { errors } from '../errors.js'
import { sendProblem } from './error-handler.js'

interface Window {
  readonly endsAt: number
  used: number
}

const WINDOW_MS = 60_000
const MAX_WINDOWS = 10_000
const POLICY = 'default'

export const rateLimit = fp<{ readonly requestsPerMinute: number }>(
  (app, { requestsPerMinute }, done) => {
    const windows = new Map<string, Window>()
    const policy = `"${POLICY}";q=${requestsPerMinute};w=${WINDOW_MS / 1000}`
    // After auth, whose plugin is registered before this one.
    app.addHook('onRequest', async (request, reply) => {
      const window = windowOf(windows, request.principal.keyId)
      window.used += 1
      const left = Math.max(0, requestsPerMinute - window.used)
      const seconds = Math.max(1, Math.ceil((window.endsAt - performance.now()) / 1000))
      void reply.header('ratelimit-policy', policy)
      void reply.header('ratelimit', `"${POLICY}";r=${left};t=${seconds}`)
      if (window.used <= requestsPerMinute) return
      const error = errors.rate_limited(`${requestsPerMinute} requests a minute are allowed`)
      void reply.header('retry-after', String(seconds))
      await sendProblem(reply, error, { 'violated-policies': [POLICY] })
    })
    done()
  },
  { name: 'rate-limit', dependencies: ['auth'] },
)

function windowOf(windows: Map<string, Window>, key: string): Window {
  const now = performance.now()
  const current = windows.get(key)
  if (current !== undefined && current.endsAt > now) return current
  if (windows.size >= MAX_WINDOWS) dropEnded(windows, now)
  const window = { endsAt: now + WINDOW_MS, used: 0 }
  windows.set(key, window)
  return window
}

function dropEnded(windows: Map<string, Window>, now: number): void {
  for (const [key, { endsAt }] of windows) if (endsAt <= now) windows.delete(key)
}
