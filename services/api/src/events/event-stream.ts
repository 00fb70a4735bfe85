// Server-sent events of one job (WHATWG HTML 9.2). The stream watches the live channel first and
// reads the table after, so nothing falls between; the table's gap-free numbers are the ids.
import type { ServerResponse } from 'node:http'

import { type Db, type JobEvent, listEvents } from '@pare/database'

import { viewEvent } from '../views/event.js'
import { type ChangeSignal, type EventHub, watch } from './event-hub.js'

export interface StreamOptions {
  readonly db: Db
  readonly events: EventHub
  readonly jobId: string
  /** Sequence number of the last event that the client has. */
  readonly afterSeq: number
  readonly heartbeatMs: number
  /** The stream ends when the key that opened it does. */
  readonly expiresAt: Date | null
}

const BATCH = 200
/** A client that reads too slowly loses progress, never a change of state. */
const MAX_BUFFERED_BYTES = 2 ** 20
const TERMINAL = new Set(['job.succeeded', 'job.failed', 'job.canceled', 'job.expired'])

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** Streams until the job has ended, the client is gone, the key expired or the server stops. */
export async function streamEvents(
  response: ServerResponse,
  headers: Readonly<Record<string, string | string[] | number>>,
  options: StreamOptions,
): Promise<void> {
  const signal = watch(options.events, options.jobId)
  response.once('close', signal.wake)
  try {
    response.writeHead(200, { ...headers, ...HEADERS })
    response.write('retry: 3000\n\n')
    await pump(response, options, signal)
  } finally {
    signal.close()
    response.end()
  }
}

async function pump(
  response: ServerResponse,
  options: StreamOptions,
  signal: ChangeSignal,
): Promise<void> {
  const { db, jobId, events, heartbeatMs, expiresAt } = options
  let afterSeq = options.afterSeq
  for (;;) {
    const batch = await listEvents(db, { jobId, afterSeq, limit: BATCH })
    for (const event of batch) {
      if (response.destroyed) return
      send(response, event)
      afterSeq = event.seq
      if (TERMINAL.has(event.type)) return
    }
    if (batch.length === BATCH) continue
    const isChanged = await signal.next(heartbeatMs)
    if (response.destroyed) return
    if (events.isClosing()) {
      response.write('event: server_shutdown\ndata: {}\n\n')
      return
    }
    if (expiresAt !== null && expiresAt <= new Date()) return
    if (!isChanged) response.write(': hb\n\n')
  }
}

function send(response: ServerResponse, event: JobEvent): void {
  if (event.type === 'job.progress' && response.writableLength > MAX_BUFFERED_BYTES) return
  // JSON.stringify escapes line breaks, so the data is one line.
  const data = JSON.stringify(viewEvent(event))
  response.write(`id: ${event.seq}\nevent: ${event.type}\ndata: ${data}\n\n`)
}
