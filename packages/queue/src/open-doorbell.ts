import type { Doorbell, OpenDoorbellOptions } from './doorbell.js'
import { queueErrors } from './errors.js'

/**
 * Opens the bell that a URL names: `postgres://…` (BullMQ in its own schema of that database, which
 * is created or brought up to date first) or `redis://…`, `rediss://…`.
 */
export async function openDoorbell(
  url: string,
  options: OpenDoorbellOptions = {},
): Promise<Doorbell> {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  const { openPostgresDoorbell, openRedisDoorbell } = await import('./bullmq.js')
  switch (protocol) {
    case 'postgres:':
    case 'postgresql:':
      return openPostgresDoorbell(url, options)
    case 'redis:':
    case 'rediss:':
      return openRedisDoorbell(url, options)
    default:
      throw queueErrors.queue_url_invalid(
        'a queue URL begins with postgres://, postgresql://, redis:// or rediss://',
      )
  }
}
