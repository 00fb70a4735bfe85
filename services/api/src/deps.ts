// What the application is built from. Only main.ts and tests make these.
import type { Pool } from '@pare/database'
import type { Logger, Metrics } from '@pare/observability'
import type { Doorbell } from '@pare/queue'
import type { BlobStore } from '@pare/storage'

import type { Cursors } from './cursor.js'
import type { EventHub } from './events/event-hub.js'

export interface ApiSettings {
  /** Largest model or dataset, in bytes. */
  readonly maxUploadBytes: number
  /** Largest JSON body, in bytes. */
  readonly maxBodyBytes: number
  /** Requests per API key and minute. */
  readonly requestsPerMinute: number
  /** Open event streams per API key. */
  readonly maxStreams: number
  /** Pause between comments that keep an event stream open. */
  readonly heartbeatMs: number
  /** How long a request waits for the one that holds its idempotency key before it gets 409. */
  readonly idempotencyWaitMs: number
  /** How long a looked-up API key is trusted without asking the database again. */
  readonly apiKeyCacheMs: number
  /** Address ranges that webhooks may reach although they are not public. */
  readonly webhookAllowCidrs: readonly string[]
}

export interface ApiDeps {
  readonly pool: Pool
  readonly store: BlobStore
  readonly doorbell: Doorbell
  readonly events: EventHub
  readonly cursors: Cursors
  readonly metrics: Metrics
  readonly logger: Logger
  readonly settings: ApiSettings
}

export const DEFAULT_SETTINGS: ApiSettings = {
  maxUploadBytes: 4 * 2 ** 30,
  maxBodyBytes: 2 ** 20,
  requestsPerMinute: 60_000,
  maxStreams: 100,
  heartbeatMs: 15_000,
  idempotencyWaitMs: 10_000,
  apiKeyCacheMs: 5000,
  webhookAllowCidrs: [],
}
