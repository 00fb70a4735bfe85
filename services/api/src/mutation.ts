// How every POST changes something: the work, the idempotency row and the stored answer commit in
// one transaction, so a crash leaves all of it or nothing. A second request with the same key waits
// for the first and then gets its answer.
import {
  type Doorbell as Ring,
  hashJson,
  idempotencyBegin,
  idempotencyFinish,
  type IdempotencyRequest,
  type StoredResponse,
  type Tx,
  withTransaction,
} from '@pare/database'
import { CodedError } from '@pare/errors'
import type { Json } from '@pare/recipe'
import type { FastifyReply, FastifyRequest } from 'fastify'

import type { ApiDeps } from './deps.js'
import { errors } from './errors.js'
import { statusOf, toProblem } from './problem.js'

export interface Outcome<Body = unknown> {
  readonly status: number
  readonly body: Body
  readonly location?: string
  /** Doorbells to ring after the commit. */
  readonly ring?: readonly Ring[]
  /** What a replay answers instead, where the body holds a secret. */
  readonly stored?: Body
}

export type Work<Body> = (tx: Tx) => Promise<Outcome<Body>>

const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/

interface Mutation<Body> {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Stands for the body in the fingerprint, where the body is not JSON. */
  readonly bodyHash?: string
  /** The body as it is now, asked for after the commit and for a replay. */
  readonly refresh?: (body: Body) => Promise<Body>
}

type MutationDeps = Pick<ApiDeps, 'pool' | 'doorbell' | 'logger' | 'settings'>

/** Runs the work and answers the request. */
export async function runMutation<Body>(
  { pool, doorbell, logger, settings }: MutationDeps,
  { request, reply, bodyHash, refresh = keep }: Mutation<Body>,
  work: Work<Body>,
): Promise<FastifyReply> {
  const key = idempotencyOf(request, bodyHash)
  const outcome =
    key === null
      ? await withTransaction(pool, work)
      : await withTransaction(pool, async (tx) => {
          await limitWait(tx, settings)
          return runOnce(tx, key, work)
        }).catch((error: unknown) => keepRefusal(pool, key, error))
  if ('replay' in outcome) return replay(reply, outcome.replay, refresh)
  for (const { stageId, attempt, priority, device, delayMs } of outcome.ring ?? []) {
    // Lost rings are rung again by the reconciler: the job is accepted all the same.
    doorbell.ring({ stageId, attempt }, { priority, device, delayMs }).catch((error: unknown) => {
      logger.warn({ err: error, stageId }, 'ring failed')
    })
  }
  if (outcome.location !== undefined) void reply.header('location', outcome.location)
  return reply.code(outcome.status).send(await refresh(outcome.body))
}

function keep<Body>(body: Body): Promise<Body> {
  return Promise.resolve(body)
}

/** Past it PostgreSQL gives up, and the caller is told to ask again. */
async function limitWait(tx: Tx, { idempotencyWaitMs }: MutationDeps['settings']): Promise<void> {
  await tx.query(`SET LOCAL lock_timeout = ${Math.trunc(idempotencyWaitMs)}`)
}

interface Replay {
  readonly replay: StoredResponse
}

async function runOnce<Body>(
  tx: Tx,
  key: IdempotencyRequest,
  work: Work<Body>,
): Promise<Outcome<Body> | Replay> {
  const begun = await begin(tx, key)
  if ('replay' in begun) return begun
  const outcome = await work(tx)
  const response: StoredResponse = {
    status: outcome.status,
    headers: outcome.location === undefined ? {} : { location: outcome.location },
    body: (outcome.stored ?? outcome.body) as Json,
  }
  await finish(tx, key, { holder: begun.holder, response })
  return outcome
}

async function begin(tx: Tx, key: IdempotencyRequest): Promise<{ holder: string } | Replay> {
  const begun = await idempotencyBegin(tx, key)
  switch (begun.outcome) {
    case 'started':
      return begun
    case 'replay':
      return { replay: begun.response }
    case 'in_progress':
      throw errors.idempotency_key_in_progress('ask again in a second for its result')
    case 'mismatch':
      throw errors.idempotency_key_reused(
        'its first use had another body or address: use a new key for a new request',
      )
  }
}

async function finish(
  tx: Tx,
  { scope, key }: IdempotencyRequest,
  end: { readonly holder: string; readonly response: StoredResponse },
): Promise<void> {
  if (await idempotencyFinish(tx, { scope, key, ...end })) return
  throw errors.idempotency_key_in_progress('another request has taken the key over')
}

/**
 * A refusal that the same request would meet again (422) is kept and repeated; conflicts, limits
 * and failures are not, so that the same key can succeed later.
 */
async function keepRefusal(
  pool: ApiDeps['pool'],
  key: IdempotencyRequest,
  thrown: unknown,
): Promise<Replay> {
  if (!(thrown instanceof CodedError) || statusOf(thrown) !== 422) throw thrown
  if (thrown.code === 'idempotency_key_reused') throw thrown
  const response: StoredResponse = {
    status: 422,
    body: toProblem(thrown) as unknown as Json,
  }
  await withTransaction(pool, async (tx) => {
    const begun = await begin(tx, key)
    if ('holder' in begun) await finish(tx, key, { holder: begun.holder, response })
  })
  throw thrown
}

async function replay<Body>(
  reply: FastifyReply,
  { status, headers = {}, body }: StoredResponse,
  refresh: (body: Body) => Promise<Body>,
): Promise<FastifyReply> {
  void reply.code(status).headers(headers).header('idempotent-replayed', 'true')
  // The same route stored it.
  if (status < 400) return reply.send(await refresh(body as Body))
  const requestId = reply.request.id
  const problem = { ...(body as object), request_id: requestId }
  return reply
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send({ ...problem, instance: `urn:pare:request:${requestId}` })
}

function idempotencyOf(
  request: FastifyRequest,
  bodyHash: string | undefined,
): IdempotencyRequest | null {
  const header = request.headers['idempotency-key']
  if (header === undefined) return null
  const { method, params, query } = request
  const scope = `${request.principal.projectId} ${method} ${request.routeOptions.url ?? ''}`
  const body = bodyHash ?? request.body ?? null
  return {
    scope,
    key: parseKey(header),
    fingerprint: fingerprintOf({ scope, params, query, body }),
  }
}

function fingerprintOf(fields: unknown): string {
  try {
    return hashJson(fields)
  } catch (error) {
    // The only way to fail for what JSON.parse gave: the recursion met a tower of brackets.
    if (!(error instanceof RangeError)) throw error
    throw errors.body_invalid('it is nested too deeply', { cause: error })
  }
}

/** The draft's quoted string, or the bare text that many clients send. */
function parseKey(header: string | readonly string[]): string {
  const text = typeof header === 'string' ? header.trim() : ''
  const isQuoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"')
  const key = isQuoted ? text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') : text
  if (KEY.test(key)) return key
  throw errors.idempotency_key_invalid('expected 1 to 255 printable ASCII characters', {
    details: { errors: [{ parameter: 'Idempotency-Key', code: 'invalid', detail: 'malformed' }] },
  })
}
