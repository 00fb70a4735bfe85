import { CodedError } from '@pare/errors'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'

import { generateWebhookSecret, signWebhook, verifyWebhook, webhookHeaders } from './signature.js'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

const message = {
  id: 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W',
  timestamp: 1674087231,
  body: encode('{"type":"job.succeeded","timestamp":"2026-10-01T00:00:00Z","data":{"id":"job_1"}}'),
}
const secret = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='
const other = 'whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA='

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
  return 'accepted'
}

describe('signing', () => {
  it('gives the published test vector', () => {
    expect(signWebhook(message, [secret])).toBe('v1,7tvQodLCZ+z9cewwiAXaDrLz1wDDJwDNerJ1Y8YQXAk=')
  })

  it('agrees with the standardwebhooks package', () => {
    for (const body of ['', '{}', '{"é":"\u{1f600}"}']) {
      const theirs = new Webhook(secret).sign(message.id, new Date(message.timestamp * 1000), body)
      expect(signWebhook({ ...message, body: encode(body) }, [secret])).toBe(theirs)
    }
  })

  it('signs with every secret during a rotation, and either receiver is content', () => {
    const now = Math.floor(Date.now() / 1000)
    const headers = webhookHeaders({ ...message, timestamp: now }, [other, secret])
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2)
    for (const one of [secret, other]) {
      const body = Buffer.from(message.body).toString()
      expect(new Webhook(one).verify(body, headers)).toMatchObject({ type: 'job.succeeded' })
    }
  })

  it('refuses ids that could shift the signed content, and secrets that are none', () => {
    expect(codeOf(() => signWebhook({ ...message, id: 'a.b' }, [secret]))).toBe(
      'webhook_message_invalid',
    )
    expect(codeOf(() => signWebhook({ ...message, id: 'a\r\nx: y' }, [secret]))).toBe(
      'webhook_message_invalid',
    )
    expect(codeOf(() => signWebhook({ ...message, timestamp: 1.5 }, [secret]))).toBe(
      'webhook_message_invalid',
    )
    expect(codeOf(() => signWebhook(message, []))).toBe('webhook_message_invalid')
    for (const none of [
      '',
      'whsec_',
      'whsec_c2hvcnQ=',
      'plain',
      `whsec_${'A'.repeat(100)}`,
      'whsec_***',
    ]) {
      expect(codeOf(() => signWebhook(message, [none]))).toBe('webhook_secret_invalid')
    }
  })

  it('makes a new secret of 32 bytes each time', () => {
    const secrets = new Set(Array.from({ length: 100 }, generateWebhookSecret))
    expect(secrets.size).toBe(100)
    for (const one of secrets) {
      expect(one).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
      expect(signWebhook(message, [one])).toMatch(/^v1,/)
    }
  })
})

describe('verifying', () => {
  const now = message.timestamp
  const headers = webhookHeaders(message, [secret])
  const received = { headers, body: message.body, secrets: [secret], now }

  it('accepts what was signed, whatever the case of the headers', () => {
    expect(verifyWebhook(received)).toEqual({ id: message.id, timestamp: now })
    const shouted = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
    )
    expect(verifyWebhook({ ...received, headers: shouted }).id).toBe(message.id)
  })

  it('accepts what the standardwebhooks package signed', () => {
    const signature = new Webhook(secret).sign(message.id, new Date(now * 1000), '{}')
    const theirs = { ...headers, 'webhook-signature': `v1a,AAAA ${signature}` }
    expect(verifyWebhook({ ...received, headers: theirs, body: encode('{}') }).id).toBe(message.id)
  })

  it.each([
    ['another body', { body: encode('{}') }, 'webhook_signature_invalid'],
    ['another secret', { secrets: [other] }, 'webhook_signature_invalid'],
    ['no secret', { secrets: [] }, 'webhook_signature_invalid'],
    ['another id', { headers: { ...headers, 'webhook-id': 'msg_1' } }, 'webhook_signature_invalid'],
    [
      'an empty signature',
      { headers: { ...headers, 'webhook-signature': 'v1,' } },
      'webhook_signature_invalid',
    ],
    [
      'another scheme',
      {
        headers: {
          ...headers,
          'webhook-signature': headers['webhook-signature'].replace('v1', 'v2'),
        },
      },
      'webhook_signature_invalid',
    ],
    [
      'no signature',
      { headers: { ...headers, 'webhook-signature': undefined } },
      'webhook_signature_invalid',
    ],
    [
      'a timestamp in words',
      { headers: { ...headers, 'webhook-timestamp': 'now' } },
      'webhook_timestamp_invalid',
    ],
    ['301 seconds of age', { now: now + 301 }, 'webhook_timestamp_invalid'],
    ['301 seconds of future', { now: now - 301 }, 'webhook_timestamp_invalid'],
  ])('refuses %s', (_name, change, code) => {
    expect(codeOf(() => verifyWebhook({ ...received, ...change }))).toBe(code)
  })

  it('tolerates five minutes in both directions', () => {
    expect(verifyWebhook({ ...received, now: now + 300 }).id).toBe(message.id)
    expect(verifyWebhook({ ...received, now: now - 300 }).id).toBe(message.id)
  })
})
