import { growPlan } from '@pare/compression'
import type { Job as JobView } from '@pare/contracts'
import { cancelJob, listJobs, retryJob } from '@pare/database'
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'

import type { ApiDeps } from '../../deps.js'
import { errors } from '../../errors.js'
import { runMutation } from '../../mutation.js'
import { answerPage } from '../../paging.js'
import { bodyOf, compileValidator } from '../../plugins/validation.js'
import { cloneJob } from '../../use-cases/clone-job.js'
import { acceptedOutcome, previewJob, submitJob, viewJobById } from '../../use-cases/submit-job.js'
import { parseWait, waitForJob } from '../../use-cases/wait-for-job.js'
import { viewJob } from '../../views/job.js'
import type { RoutePlugin } from '../route-plugin.js'
import { filterOf } from './filter.js'
import {
  cancelJobSchema,
  cloneJobSchema,
  createJobSchema,
  getJobSchema,
  listJobsSchema,
  retryJobSchema,
} from './schemas.js'

/** `parseJobRequest` checks job bodies, with defaults and with a pointer for every fault. */
const parsedLater: FastifySchemaCompiler<TSchema> = (route) =>
  route.httpPart === 'body' ? takeBody(route.schema) : compileValidator(route)

function takeBody(schema: TSchema) {
  return (input: unknown) => {
    const value = bodyOf(input, schema)
    return value === undefined ? { error: errors.body_required('send a JSON object') } : { value }
  }
}

export const jobRoutes: RoutePlugin = (app, { deps }, done) => {
  const { pool, cursors } = deps

  const create = { schema: createJobSchema, validatorCompiler: parsedLater }
  app.post('/jobs', create, async (request, reply) => {
    const submission = { ...ownerOf(request), body: request.body as unknown }
    if (isPreview(request.body)) return reply.send(await previewJob(pool, submission))
    const refresh = waiter(deps, request)
    return runMutation(deps, { request, reply, refresh }, (tx) => submitJob(tx, submission))
  })

  app.get('/jobs', { schema: listJobsSchema }, (request, reply) => {
    const filters = filterOf(request.query)
    const owner = ownerOf(request)
    return answerPage({
      ...{ request, reply, cursors, filters },
      fetch: (page) => listJobs(pool, { ...owner, ...filters, ...page }),
      view: viewJob,
    })
  })

  app.get('/jobs/:id', { schema: getJobSchema }, (request) => {
    const owned = { ...ownerOf(request), id: request.params.id }
    const seconds = parseWait(request.headers.prefer)
    return seconds === null ? viewJobById(pool, owned) : waitForJob(deps, owned, seconds)
  })

  app.post('/jobs/:id/cancel', { schema: cancelJobSchema }, (request, reply) => {
    const { projectId } = ownerOf(request)
    return runMutation(deps, { request, reply }, async (tx) => {
      const job = await cancelJob(tx, { projectId, jobId: request.params.id })
      return { status: 200, body: await viewJobById(tx, job) }
    })
  })

  app.post('/jobs/:id/retry', { schema: retryJobSchema }, (request, reply) => {
    const { projectId } = ownerOf(request)
    return runMutation(deps, { request, reply }, async (tx) =>
      acceptedOutcome(tx, await retryJob(tx, { projectId, jobId: request.params.id }, growPlan)),
    )
  })

  const clone = { schema: cloneJobSchema, validatorCompiler: parsedLater }
  app.post('/jobs/:id/clone', clone, (request, reply) => {
    const { id } = request.params
    const overrides = request.body as Readonly<Record<string, unknown>>
    return runMutation(deps, { request, reply }, (tx) =>
      cloneJob(tx, { ...ownerOf(request), id, overrides }),
    )
  })

  done()
}

function ownerOf({ principal }: FastifyRequest): { readonly projectId: string } {
  return { projectId: principal.projectId }
}

function isPreview(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    'validate_only' in body &&
    body.validate_only === true
  )
}

/** Holds the answer back as `Prefer: wait` asks; a replay answers the job as it is now. */
function waiter(deps: ApiDeps, request: FastifyRequest): (job: JobView) => Promise<JobView> {
  const seconds = parseWait(request.headers['prefer']) ?? 0
  return ({ id }) => waitForJob(deps, { ...ownerOf(request), id }, seconds)
}
