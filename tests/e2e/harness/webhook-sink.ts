// A pipeline's webhook receiver. Every message is verified on arrival, over its raw bytes.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

import { Webhook } from 'standardwebhooks'

export interface Delivery {
  /** The header `webhook-id`. */
  readonly id: string
  readonly type: string
  readonly job: string
  readonly body: string
}

export interface WebhookSink {
  readonly url: string
  readonly deliveries: readonly Delivery[]
  /** Messages whose signature was wrong. */
  readonly forgeries: readonly unknown[]
  /** Given by the service when the endpoint is made. */
  trust(secret: string): void
  stop(): Promise<void>
}

interface Message {
  readonly type: string
  readonly data: { readonly id: string }
}

export async function startWebhookSink(): Promise<WebhookSink> {
  const secrets: string[] = []
  const deliveries: Delivery[] = []
  const forgeries: unknown[] = []
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      const body = bytes.toString('utf8')
      try {
        const { type, data } = verify(secrets, body, request.headers)
        const id = String(request.headers['webhook-id'])
        deliveries.push({ id, type, job: data.id, body })
      } catch (error) {
        forgeries.push(error)
      }
      response.writeHead(204).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/pare`,
    deliveries,
    forgeries,
    trust: (secret) => void secrets.push(secret),
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** One of the secrets must fit: a sink serves the endpoints of several projects. */
function verify(secrets: readonly string[], body: string, headers: IncomingHttpHeaders): Message {
  let failure: unknown = new Error('no secret is known')
  for (const secret of secrets) {
    try {
      return new Webhook(secret).verify(body, headers as Record<string, string>) as Message
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
