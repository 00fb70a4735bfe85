// The report as a page: one file without scripts, which gets a policy that would let none run.
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { ApiDeps } from '../../deps.js'
import { findReport } from '../../use-cases/find-report.js'

/** Styles are in the page, which names them by their hash; nothing else may be loaded or sent. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

type PageRequest = Pick<FastifyRequest, 'principal' | 'headers'> & { readonly params: unknown }

export async function sendReportPage(
  { pool, store }: ApiDeps,
  request: PageRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { id } = request.params as { readonly id: string }
  const { projectId } = request.principal
  const { sha256, sizeBytes } = await findReport(pool, { projectId, id, form: 'html' })
  void reply.headers({
    'content-security-policy': POLICY,
    etag: `"${sha256}"`,
    'cache-control': 'private, no-cache',
  })
  if (request.headers['if-none-match']?.includes(sha256) === true) return reply.code(304).send(null)
  void reply.type('text/html; charset=utf-8').header('content-length', sizeBytes)
  return reply.send(await store.get(sha256))
}

/** Whether HTML is named and more wanted than JSON, or first. Who takes anything gets JSON. */
export function prefersHtml(accept: string | undefined): boolean {
  const html = qualityOf(accept, 'text/html')
  const json = qualityOf(accept, 'application/json')
  return html > 0 && (html > json || (html === json && comesFirst(accept)))
}

/** RFC 9110, 12.4.2: the weight of a media type that is named; 0 where it is not. */
function qualityOf(accept: string | undefined, type: string): number {
  const entry = entriesOf(accept).find(([name]) => name === type)
  const weight = entry?.slice(1).find((parameter) => parameter.startsWith('q='))
  if (entry === undefined) return 0
  return weight === undefined ? 1 : Number(weight.slice(2)) || 0
}

function comesFirst(accept: string | undefined): boolean {
  const names = entriesOf(accept).map(([name]) => name)
  return names.indexOf('text/html') < names.indexOf('application/json')
}

function entriesOf(accept = ''): readonly (readonly string[])[] {
  return accept
    .slice(0, 1000)
    .split(',')
    .map((entry) => entry.split(';').map((part) => part.trim().toLowerCase()))
}
