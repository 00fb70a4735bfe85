import type { Doorbell } from './doorbell.js'
import { queueErrors } from './errors.js'

export interface OpenDoorbellOptions {
  /** Connection losses and failed handlers; called at most once a second, the queue goes on. */
  readonly onError?: (error: Error) => void
  /** Several independent bells on one server. Default `stages`. */
  readonly name?: string
}

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
