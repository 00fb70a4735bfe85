// What a scraper and a container's health check ask a worker, which has no other HTTP.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { Metrics } from '@pare/observability'

export interface MetricsServer {
  readonly url: string
  readonly close: () => Promise<void>
}

/** Serves on all interfaces: a scraper runs elsewhere. Port 0 takes a free one. */
export async function startMetricsServer(metrics: Metrics, port: number): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    void answer(request.url ?? '', metrics, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, resolve)
  })
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(url: string, { registry }: Metrics, response: ServerResponse): Promise<void> {
  if (url === '/healthz') {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
  } else if (url === '/metrics') {
    const text = await registry.metrics()
    response.writeHead(200, { 'content-type': registry.contentType }).end(text)
  } else {
    response.writeHead(404).end()
  }
}
