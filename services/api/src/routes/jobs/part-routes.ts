// What hangs below a job: stages, artifacts, report, events.
import { json } from 'node:stream/consumers'

import {
  errors as databaseErrors,
  getJobStatus,
  isTerminalJobState,
  type JobStatus,
  listArtifacts,
  listEvents,
  listStageStatuses,
  type Pool,
} from '@pare/database'
import type { JsonObject } from '@pare/recipe'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { ApiDeps } from '../../deps.js'
import { errors } from '../../errors.js'
import { streamEvents } from '../../events/event-stream.js'
import { createStreamCounter } from '../../events/stream-counter.js'
import { findReport } from '../../use-cases/find-report.js'
import { viewArtifact } from '../../views/artifact.js'
import { viewEvent } from '../../views/event.js'
import { etagOf, viewReport } from '../../views/report.js'
import { viewStage } from '../../views/stage.js'
import type { RoutePlugin } from '../route-plugin.js'
import { prefersHtml, sendReportPage } from './report-page.js'
import {
  getReportPageSchema,
  getReportSchema,
  listArtifactsSchema,
  listEventsSchema,
  listStagesSchema,
} from './schemas.js'

const MAX_EVENTS = 200

export const jobPartRoutes: RoutePlugin = (app, { deps }, done) => {
  const { pool, store, settings } = deps
  const streams = createStreamCounter(settings.maxStreams)

  app.get('/jobs/:id/stages', { schema: listStagesSchema }, async (request) => {
    const job = await requireJob(pool, request, request.params.id)
    return onePage((await listStageStatuses(pool, job.id)).map(viewStage))
  })

  app.get('/jobs/:id/artifacts', { schema: listArtifactsSchema }, async (request) => {
    const job = await requireJob(pool, request, request.params.id)
    return onePage((await listArtifacts(pool, job.id)).map(viewArtifact))
  })

  app.get('/jobs/:id/report', { schema: getReportSchema }, async (request, reply) => {
    void reply.header('vary', 'accept')
    if (prefersHtml(request.headers.accept)) return sendReportPage(deps, request, reply)
    const { projectId } = request.principal
    const { id } = request.params
    const artifact = await findReport(pool, { projectId, id, form: 'json' })
    const content = (await json(await store.get(artifact.sha256))) as Readonly<JsonObject>
    const text = JSON.stringify(viewReport(content, await listStageStatuses(pool, id)))
    return reply.header('etag', etagOf(text)).type('application/json').send(text)
  })

  app.get('/jobs/:id/report.html', { schema: getReportPageSchema }, (request, reply) =>
    sendReportPage(deps, request, reply),
  )

  app.get('/jobs/:id/events', { schema: listEventsSchema }, async (request, reply) => {
    const job = await requireJob(pool, request, request.params.id)
    const { cursor = 0, after = cursor, limit = 50 } = request.query
    if (wantsStream(request)) {
      const afterSeq = lastEventId(request.headers['last-event-id']) ?? after
      return streams.run(request.principal.keyId, () =>
        stream(deps, { request, reply, job, afterSeq }),
      )
    }
    const size = Math.min(limit, MAX_EVENTS)
    const events = await listEvents(pool, { jobId: job.id, afterSeq: after, limit: size + 1 })
    const data = events.slice(0, size).map(viewEvent)
    const last = data.at(-1)
    const hasMore = events.length > size && last !== undefined
    return reply.type('application/json').send({
      data,
      has_more: hasMore,
      next_cursor: hasMore ? String(last.seq) : null,
    })
  })

  done()
}

function onePage<View>(data: View[]) {
  return { data, has_more: false, next_cursor: null }
}

async function requireJob(pool: Pool, request: FastifyRequest, id: string): Promise<JobStatus> {
  const job = await getJobStatus(pool, { projectId: request.principal.projectId, id })
  if (job === null) throw databaseErrors.job_not_found(`there is no job ${id.slice(0, 64)}`)
  return job
}

function wantsStream({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/event-stream') === true
}

/** What we never gave out counts as nothing received. */
function lastEventId(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  return /^\d{1,9}$/.test(header) ? Number(header) : 0
}

interface StreamRequest {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly job: JobStatus
  readonly afterSeq: number
}

/** 204 is the only answer that stops an EventSource from connecting again. */
async function stream(deps: ApiDeps, { request, reply, job, afterSeq }: StreamRequest) {
  if (isTerminalJobState(job.state) && afterSeq >= job.eventSeq) return reply.code(204).send(null)
  if (deps.events.isClosing()) throw errors.not_ready('this server is stopping: connect again')
  reply.hijack()
  const headers = reply.getHeaders() as Record<string, string>
  await streamEvents(reply.raw, headers, {
    db: deps.pool,
    events: deps.events,
    jobId: job.id,
    afterSeq,
    heartbeatMs: deps.settings.heartbeatMs,
    expiresAt: request.principal.expiresAt,
  })
  return reply
}
