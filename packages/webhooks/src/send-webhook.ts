/**
 * One attempt to deliver a webhook, made so that an endpoint of a stranger can harm nobody:
 * 1. URL and addresses are checked at every attempt (check-url.ts, guarded-connector.ts);
 * 2. each attempt has a connection of its own, no proxy, no redirect;
 * 3. time, headers and body of the answer are limited; a slow or endless answer is cut;
 * 4. of the answer only its status and a short plain text are kept.
 * A failed attempt is a result, not an exception.
 */
import { Agent, type Dispatcher, request } from 'undici'

import { addressGuard } from './address-guard.js'
import { checkWebhookUrl, type WebhookPolicy } from './check-url.js'
import { classifyFailure, type FailureClass } from './failure.js'
import { guardedConnector, type ResolveHost } from './guarded-connector.js'
import { responseSnippet } from './response-snippet.js'
import { parseRetryAfter } from './retry-schedule.js'
import { type SignedMessage, webhookHeaders } from './signature.js'

export interface SendWebhookOptions extends SignedMessage, WebhookPolicy {
  readonly url: string
  /** Newest first; all of them sign. */
  readonly secrets: readonly string[]
  /** For everything up to the status line and headers of the answer. */
  readonly timeoutMs?: number
  readonly connectTimeoutMs?: number
  /** For the body of the answer, of which little is kept. */
  readonly bodyTimeoutMs?: number
  /** Stops the attempt, as when the service shuts down. */
  readonly signal?: AbortSignal
  /** Name resolution; the system's by default. */
  readonly resolve?: ResolveHost
}

export interface SendWebhookResult {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null
  readonly error: FailureClass | null
  readonly durationMs: number
  /** What the endpoint's Retry-After asks for. */
  readonly retryAfterMs: number | null
  /** Start of the answer's body as plain text, at most 1 kB. */
  readonly responseSnippet: string | null
  /** Address that was connected to. */
  readonly ip: string | null
}

const DEFAULT_TIMEOUT_MS = 15_000
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000
const DEFAULT_BODY_TIMEOUT_MS = 2_000
const MAX_RESPONSE_BYTES = 16 * 1024
const MAX_HEADER_BYTES = 16 * 1024

/**
 * @throws webhook_message_invalid, webhook_secret_invalid, webhook_allow_list_invalid: faults of
 *   the caller. Whatever the endpoint does is in the result.
 */
export async function sendWebhook(options: SendWebhookOptions): Promise<SendWebhookResult> {
  const headers = webhookHeaders(options, options.secrets)
  const guard = addressGuard(options.allowCidrs)
  const startedAt = performance.now()
  const attempt: Attempt = { options, headers, guard, ip: null }
  const deadline = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  const answer = await call(attempt, deadline).catch((thrown: unknown) => ({
    ...NO_ANSWER,
    error: classifyFailure(thrown, deadline.aborted),
  }))
  return { ...answer, ip: attempt.ip, durationMs: performance.now() - startedAt }
}

interface Attempt {
  readonly options: SendWebhookOptions
  readonly headers: Readonly<Record<string, string>>
  readonly guard: ReturnType<typeof addressGuard>
  ip: string | null
}

type Answer = Omit<SendWebhookResult, 'ip' | 'durationMs'>

const NO_ANSWER: Answer = { status: null, error: null, retryAfterMs: null, responseSnippet: null }

async function call(attempt: Attempt, deadline: AbortSignal): Promise<Answer> {
  const { options, headers } = attempt
  const { url, needsOpenedAddress } = checkWebhookUrl(options.url, options)
  const agent = openAgent(attempt, needsOpenedAddress)
  const stop = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal])
  try {
    const response = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/json',
        'user-agent': 'Pare-Webhooks/1',
      },
      body: options.body,
      signal: stop,
    })
    return await readAnswer(response, options)
  } finally {
    // The answer's rest, however long, ends here with its connection.
    await agent.destroy()
  }
}

function openAgent(attempt: Attempt, needsOpenedAddress: boolean): Agent {
  const { options, guard } = attempt
  return new Agent({
    // No keep-alive: the connection serves this attempt only.
    pipelining: 0,
    connections: 1,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: guardedConnector({
      isAllowed: needsOpenedAddress ? guard.isOpened : guard.isAllowed,
      timeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
      onConnect: (address) => {
        attempt.ip = address
      },
    }),
  })
}

async function readAnswer(
  response: Dispatcher.ResponseData,
  options: SendWebhookOptions,
): Promise<Answer> {
  const timeoutMs = options.bodyTimeoutMs ?? DEFAULT_BODY_TIMEOUT_MS
  const start = await readStart(response.body, timeoutMs)
  const retryAfter = response.headers['retry-after']
  const asked = typeof retryAfter === 'string' ? retryAfter : undefined
  return {
    status: response.statusCode,
    error: null,
    retryAfterMs: parseRetryAfter(asked, options.timestamp * 1_000),
    responseSnippet: responseSnippet(start),
  }
}

/**
 * The first bytes of a body. The status has come by now, so a body that is late, broken or endless
 * changes nothing: what there is is kept.
 */
async function readStart(
  body: Dispatcher.ResponseData['body'],
  timeoutMs: number,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  const timer = setTimeout(() => body.destroy(), timeoutMs)
  try {
    let length = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= MAX_RESPONSE_BYTES) break
    }
  } catch {
    // See above: the attempt is judged by its status.
  } finally {
    clearTimeout(timer)
    body.destroy()
  }
  return Buffer.concat(chunks).subarray(0, MAX_RESPONSE_BYTES)
}
