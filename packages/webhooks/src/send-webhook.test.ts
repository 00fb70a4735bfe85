import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'

import { afterEach, describe, expect, it } from 'vitest'

import { decideOutcome } from './retry-schedule.js'
import { sendWebhook, type SendWebhookOptions } from './send-webhook.js'
import { generateWebhookSecret, verifyWebhook } from './signature.js'

const closers: (() => void)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Received {
  readonly method: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

type Answer = (response: ServerResponse, request: Received) => void

/** An HTTP endpoint on this machine that answers as told and keeps what it received. */
async function httpSink(answer: Answer): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, headers } = request
      const whole = { method, headers, body: Buffer.concat(chunks) }
      received.push(whole)
      answer(response, whole)
    })
  })
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${await listen(server)}/hook`, received }
}

/** A TCP endpoint, for answers that are not HTTP. */
async function tcpSink(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${await listen(server)}/`
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const secret = generateWebhookSecret()
const body = new TextEncoder().encode('{"type":"job.succeeded","data":{"id":"job_1"}}')

const send = (url: string, change: Partial<SendWebhookOptions> = {}) =>
  sendWebhook({
    url,
    id: 'msg_1',
    timestamp: 1_700_000_000,
    body,
    secrets: [secret],
    allowCidrs: ['127.0.0.0/8'],
    ...change,
  })

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, headers).end('answer')
  }

describe('an attempt', () => {
  it('posts the exact bytes with the three headers and reports the answer', async () => {
    const { url, received } = await httpSink(status(200))
    const result = await send(url)
    expect(result).toMatchObject({
      status: 200,
      error: null,
      responseSnippet: 'answer',
      ip: '127.0.0.1',
      retryAfterMs: null,
    })
    expect(received[0]).toMatchObject({ method: 'POST', body: Buffer.from(body) })
    expect(received[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1700000000',
    })
  })

  it('three times in a row has one id, three timestamps, three connections, and always verifies', async () => {
    const { url, received } = await httpSink(status(500))
    for (const timestamp of [1_700_000_000, 1_700_000_005, 1_700_000_305]) {
      expect((await send(url, { timestamp })).status).toBe(500)
    }
    const verified = received.map(({ headers, body: bytes }) =>
      verifyWebhook({
        headers,
        body: bytes,
        secrets: [secret],
        now: Number(headers['webhook-timestamp']),
      }),
    )
    expect(verified).toEqual([
      { id: 'msg_1', timestamp: 1_700_000_000 },
      { id: 'msg_1', timestamp: 1_700_000_005 },
      { id: 'msg_1', timestamp: 1_700_000_305 },
    ])
    expect(received.map(({ headers }) => headers.connection)).toEqual(['close', 'close', 'close'])
  })

  it('carries a signature per secret during a rotation', async () => {
    const { url, received } = await httpSink(status(204))
    const old = generateWebhookSecret()
    await send(url, { secrets: [secret, old] })
    const headers = received[0]?.headers ?? {}
    for (const one of [secret, old]) {
      expect(verifyWebhook({ headers, body, secrets: [one], now: 1_700_000_000 }).id).toBe('msg_1')
    }
  })

  it('does not follow a redirect', async () => {
    const target = await httpSink(status(200))
    const { url } = await httpSink(status(301, { location: target.url }))
    expect(await send(url)).toMatchObject({ status: 301, error: null })
    expect(target.received).toEqual([])
  })

  it.each([
    [410, {}, { result: 'failed', disableEndpoint: 'the endpoint answered 410 Gone' }],
    [429, { 'retry-after': '90' }, { result: 'retry', delayMs: 90_000 }],
    [
      503,
      { 'retry-after': 'Tue, 14 Nov 2023 22:15:00 GMT' },
      { result: 'retry', delayMs: 100_000 },
    ],
    [500, {}, { result: 'retry', delayMs: 5_000 }],
    [202, {}, { result: 'succeeded' }],
  ])('answered by %i leads to the right outcome', async (code, headers, outcome) => {
    const { url } = await httpSink(status(code, headers))
    const result = await send(url)
    expect(decideOutcome(result, { scheduleStep: 0, random: 0 })).toEqual(outcome)
  })
})

describe('an endpoint that misbehaves', () => {
  it('by never answering is given up at the deadline', async () => {
    const { url, received } = await httpSink(() => undefined)
    expect(await send(url, { timeoutMs: 200 })).toMatchObject({ status: null, error: 'timeout' })
    expect(received).toHaveLength(1)
  })

  it('by sending its headers a byte at a time is given up at the deadline', async () => {
    const url = await tcpSink((socket) => {
      const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(5_000)}`)
      let at = 0
      const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 10)
      socket.on('close', () => clearInterval(timer))
    })
    expect(await send(url, { timeoutMs: 300 })).toMatchObject({ status: null, error: 'timeout' })
  })

  it('by resetting the connection is a failed attempt', async () => {
    const url = await tcpSink((socket) => socket.on('data', () => socket.resetAndDestroy()))
    expect(await send(url)).toMatchObject({ status: null, error: 'connection_reset' })
  })

  it('by closing without an answer is a failed attempt', async () => {
    const url = await tcpSink((socket) => socket.on('data', () => socket.end()))
    expect(await send(url)).toMatchObject({ status: null, error: 'connection_reset' })
  })

  it('by not listening is a failed attempt', async () => {
    const { url } = await httpSink(status(200))
    for (const close of closers.splice(0)) close()
    await expect.poll(async () => (await send(url)).error).toBe('connection_refused')
  })

  it('by speaking plain http where https is expected is a failed attempt', async () => {
    const { url, received } = await httpSink(status(200))
    const result = await send(url.replace('http:', 'https:'))
    expect(result).toMatchObject({ status: null, error: 'tls_failed' })
    expect(received).toEqual([])
  })

  it('by answering nonsense or endless headers is a failed attempt', async () => {
    const nonsense = await tcpSink((socket) => socket.on('data', () => socket.end('SSH-2.0-x\r\n')))
    expect(await send(nonsense)).toMatchObject({ status: null, error: 'response_invalid' })
    const endless = await tcpSink((socket) =>
      socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`)),
    )
    expect(await send(endless)).toMatchObject({ status: null, error: 'response_invalid' })
  })

  it('by an endless body is cut off after the first kilobytes', async () => {
    let written = 0
    const { url } = await httpSink((response) => {
      const block = 'x'.repeat(64 * 1024)
      const write = (): void => {
        while (!response.destroyed && response.write(block)) written += block.length
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    })
    const result = await send(url)
    expect(result).toMatchObject({ status: 200, error: null })
    expect(result.responseSnippet).toHaveLength(1_024)
    expect(written).toBeLessThan(64 * 2 ** 20)
  })

  it('by a body that never ends in time still counts by its status', async () => {
    const { url } = await httpSink((response) => response.writeHead(200).write('begin'))
    expect(await send(url, { bodyTimeoutMs: 100 })).toMatchObject({
      status: 200,
      error: null,
      responseSnippet: 'begin',
    })
  })

  it('by terminal sequences in the body is shown as plain text', async () => {
    const { url } = await httpSink((response) => {
      response.writeHead(500).end('\u001b[31mred\u0000\r\n\u202etxet\u009b')
    })
    expect((await send(url)).responseSnippet).toBe('[31mred txet')
  })

  it('is left when the service stops', async () => {
    const stop = new AbortController()
    const { url } = await httpSink(() => stop.abort())
    expect(await send(url, { signal: stop.signal })).toMatchObject({ status: null })
  })
})

describe('an address that is not public', () => {
  it('is not called without an allow-list, in any spelling', async () => {
    const { url, received } = await httpSink(status(200))
    const { port } = new URL(url)
    for (const host of ['127.0.0.1', '127.1', '0x7f000001', '2130706433', '[::ffff:127.0.0.1]']) {
      const result = await send(`https://${host}:${port}/`, { allowCidrs: [] })
      expect(result).toMatchObject({ status: null, error: 'address_not_allowed', ip: null })
    }
    expect(received).toEqual([])
  })

  it('is not called through a name, even when only one of its addresses is private', async () => {
    const { url, received } = await httpSink(status(200))
    const { port } = new URL(url)
    const change = {
      allowCidrs: [],
      resolve: () =>
        Promise.resolve([
          { address: '93.184.216.34', family: 4 as const },
          { address: '127.0.0.1', family: 4 as const },
        ]),
    }
    expect(await send(`https://rebind.example.com:${port}/`, change)).toMatchObject({
      status: null,
      error: 'address_not_allowed',
      ip: null,
    })
    expect(received).toEqual([])
  })

  it('is looked up and checked again at every attempt', async () => {
    const { url, received } = await httpSink(status(200))
    const { port } = new URL(url)
    const answers = ['127.0.0.1', '10.0.0.1', '127.0.0.2']
    const resolve = () => Promise.resolve([{ address: answers.shift() ?? '', family: 4 as const }])
    const hook = `http://hooks.example.com:${port}/`
    expect(await send(hook, { resolve })).toMatchObject({ status: 200, ip: '127.0.0.1' })
    expect(await send(hook, { resolve })).toMatchObject({ error: 'address_not_allowed' })
    expect(received).toHaveLength(1)
    expect(received[0]?.headers.host).toBe(`hooks.example.com:${port}`)
  })

  it('is the only kind that plain http may call, with an allow-list', async () => {
    const resolve = () => Promise.resolve([{ address: '93.184.216.34', family: 4 as const }])
    const result = await send('http://example.com/', { resolve })
    expect(result).toMatchObject({ status: null, error: 'address_not_allowed', ip: null })
  })
})

describe('a name', () => {
  it('that does not resolve, or not in time, is a failed attempt', async () => {
    const missing = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    expect(await send('https://nowhere.example.com/', { resolve: missing })).toMatchObject({
      error: 'name_not_resolved',
    })
    const hanging = () => new Promise<never>(() => undefined)
    const late = await send('https://slow.example.com/', {
      resolve: hanging,
      connectTimeoutMs: 100,
    })
    expect(late).toMatchObject({ status: null, error: 'connect_timeout' })
  })
})
