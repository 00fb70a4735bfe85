import { describe, expect, it } from 'vitest'

import { describeDoorbell } from './conformance.js'
import { openDoorbell } from './open-doorbell.js'
import { isRedisInstalled, startTestRedis } from './testing.js'

const isInstalled = isRedisInstalled()

if (isInstalled) {
  describeDoorbell('Redis', async () => {
    const { url, cutConnections, stop } = await startTestRedis()
    return { open: (name) => openDoorbell(url, { name }), cutConnections, dispose: stop }
  })
} else if (process.env['CI'] === 'true') {
  it('needs redis-server on the path', () => expect(isInstalled).toBe(true))
} else {
  // Visible in the report; CI has the server and fails without it.
  describe.skip('Redis as a doorbell: SKIPPED, redis-server is not installed here', () => {
    it('runs the same suite as PostgreSQL', () => expect(isInstalled).toBe(true))
  })
}

describe('a Redis doorbell', () => {
  it('is unavailable when nothing answers', async () => {
    await expect(openDoorbell('redis://127.0.0.1:1')).rejects.toMatchObject({
      code: 'queue_unavailable',
    })
  })

  it.each(['amqp://host', 'nonsense'])('is not opened by the URL %j', async (url) => {
    await expect(openDoorbell(url)).rejects.toMatchObject({ code: 'queue_url_invalid' })
  })
})
