/**
 * Signatures of Standard Webhooks 1.0.0, symmetric scheme `v1`:
 *   signature = base64(HMAC-SHA256(key, id + "." + timestamp + "." + body))
 * where the key is the base64-decoded part of the secret behind `whsec_`.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

import { errors } from './errors.js'

const SECRET_PREFIX = 'whsec_'
const SCHEME = 'v1'
const GENERATED_KEY_BYTES = 32
const MIN_KEY_BYTES = 24
const MAX_KEY_BYTES = 64

/** The specification's five minutes, in both directions. */
const DEFAULT_TOLERANCE_SECONDS = 300

export interface SignedMessage {
  /** The message's id: the same at every attempt and replay. Without '.', which separates. */
  readonly id: string
  /** Unix seconds of this attempt. */
  readonly timestamp: number
  /** The exact bytes that are sent. */
  readonly body: Uint8Array
}

/** A new secret of 32 random bytes, as shown to the owner of the endpoint. */
export function generateWebhookSecret(): string {
  return SECRET_PREFIX + randomBytes(GENERATED_KEY_BYTES).toString('base64')
}

/**
 * The value of `webhook-signature`: one signature per secret, newest first, separated by spaces.
 * During a rotation both secrets sign, so receivers may switch at any time of the overlap.
 *
 * @throws webhook_message_invalid, webhook_secret_invalid
 */
export function signWebhook(message: SignedMessage, secrets: readonly string[]): string {
  checkMessage(message)
  if (secrets.length === 0) throw errors.webhook_message_invalid('there is no secret to sign with')
  return secrets
    .map((secret) => `${SCHEME},${digest(message, decodeSecret(secret)).toString('base64')}`)
    .join(' ')
}

/** The three headers of the specification for one attempt. */
export function webhookHeaders(
  message: SignedMessage,
  secrets: readonly string[],
): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': signWebhook(message, secrets),
  }
}

export interface VerifyOptions {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The body as received, before any parsing. */
  readonly body: Uint8Array
  /** Every secret that may have signed. */
  readonly secrets: readonly string[]
  /** Unix seconds. */
  readonly now: number
  readonly toleranceSeconds?: number
}

/**
 * Checks a received webhook and returns its id, for the receiver's deduplication. Unknown schemes
 * in the header are passed over, as the specification asks.
 *
 * @throws webhook_signature_invalid, webhook_timestamp_invalid, webhook_secret_invalid
 */
export function verifyWebhook(options: VerifyOptions): {
  readonly id: string
  readonly timestamp: number
} {
  const id = header(options, 'webhook-id')
  const timestampText = header(options, 'webhook-timestamp')
  const signatures = header(options, 'webhook-signature')
  if (!/^\d{1,12}$/.test(timestampText)) {
    throw errors.webhook_timestamp_invalid('webhook-timestamp is not a number of seconds')
  }
  const timestamp = Number(timestampText)
  const tolerance = options.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS
  if (Math.abs(options.now - timestamp) > tolerance) {
    throw errors.webhook_timestamp_invalid(
      `the webhook is ${options.now - timestamp} s old, the tolerance is ${tolerance} s`,
    )
  }
  const keys = options.secrets.map(decodeSecret)
  const expected = keys.map((key) => digest({ id, timestamp, body: options.body }, key))
  const offered = signatures.split(' ').flatMap(decodeSignature)
  if (!offered.some((signature) => expected.some((one) => isEqual(one, signature)))) {
    throw errors.webhook_signature_invalid('no signature of the webhook fits the secret')
  }
  return { id, timestamp }
}

function header({ headers }: VerifyOptions, name: string): string {
  const key = Object.keys(headers).find((candidate) => candidate.toLowerCase() === name)
  const value = key === undefined ? undefined : headers[key]
  if (typeof value !== 'string' || value === '') {
    throw errors.webhook_signature_invalid(`the header ${name} is missing or given twice`)
  }
  return value
}

function checkMessage({ id, timestamp }: SignedMessage): void {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(id)) {
    throw errors.webhook_message_invalid('the id may hold letters, digits, _ and -')
  }
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw errors.webhook_message_invalid('the timestamp is not a whole number of seconds')
  }
}

function decodeSecret(secret: string): Buffer {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : ''
  const key = Buffer.from(encoded, 'base64')
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded)
  if (!isBase64 || key.length < MIN_KEY_BYTES || key.length > MAX_KEY_BYTES) {
    throw errors.webhook_secret_invalid(
      `a secret is ${SECRET_PREFIX} and ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes in base64`,
    )
  }
  return key
}

function digest({ id, timestamp, body }: SignedMessage, key: Buffer): Buffer {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
}

function decodeSignature(entry: string): Buffer[] {
  const [scheme, value] = entry.split(',', 2)
  return scheme === SCHEME && value !== undefined ? [Buffer.from(value, 'base64')] : []
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
