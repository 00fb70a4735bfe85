// Lists: one page per request, the position signed into an opaque cursor, the next page also as a
// Link header.
import type { Page, PageRequest } from '@pare/database'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Cursors } from './cursor.js'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 200

export interface PageRoute<Row, View> {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly cursors: Cursors
  /** Everything that chooses the rows, the project and the list's name included. */
  readonly filters: Readonly<Record<string, unknown>>
  readonly fetch: (page: PageRequest) => Promise<Page<Row>>
  readonly view: (row: Row) => View
}

export interface PageView<View> {
  readonly data: View[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

interface Positioned {
  readonly id: string
  readonly createdAt: Date
}

export async function answerPage<Row extends Positioned, View>(
  route: PageRoute<Row, View>,
): Promise<PageView<View>> {
  const { request, reply, cursors, fetch, view } = route
  const { limit = DEFAULT_LIMIT, cursor } = request.query as { limit?: number; cursor?: string }
  const filters = {
    ...route.filters,
    route: request.routeOptions.url,
    by: request.principal.projectId,
  }
  const after = cursor === undefined ? undefined : cursors.decode(cursor, filters)
  const page = await fetch({ limit: Math.min(limit, MAX_LIMIT), after })
  const last = page.rows.at(-1)
  const next = page.hasMore && last !== undefined ? cursors.encode(last, filters) : null
  if (next !== null) void reply.header('link', `<${nextAddress(request, next)}>; rel="next"`)
  return { data: page.rows.map(view), has_more: page.hasMore, next_cursor: next }
}

function nextAddress(request: FastifyRequest, cursor: string): string {
  const address = new URL(request.url, 'http://relative')
  address.searchParams.set('cursor', cursor)
  return address.pathname + address.search
}
