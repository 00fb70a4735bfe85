// Every failure leaves as application/problem+json: our own errors, fastify's, PostgreSQL's, and
// what nobody foresaw.
import { CodedError, coerceError } from '@pare/errors'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import { errors } from '../errors.js'
import { PROBLEM_MEDIA_TYPE, toProblem } from '../problem.js'

type Raise = (message: string) => CodedError

/** fastify's own errors; those not listed become request_malformed (4xx) or internal_error. */
const FASTIFY_ERRORS: Readonly<Record<string, Raise>> = {
  FST_ERR_BAD_URL: errors.url_malformed,
  FST_ERR_CTP_BODY_TOO_LARGE: errors.body_too_large,
  FST_ERR_CTP_EMPTY_JSON_BODY: errors.body_required,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: errors.body_malformed,
  FST_ERR_CTP_INVALID_JSON_BODY: errors.body_malformed,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    errors.media_type_unsupported('send JSON as application/json'),
}

/** SQLSTATE classes and node codes that mean "no database now", not "a wrong statement". */
const DATABASE_AWAY = /^(08|53|57P|ECONNREFUSED$|ECONNRESET$|EPIPE$|ENOTFOUND$|ETIMEDOUT$)/
const POOL_EXHAUSTED = 'timeout exceeded when trying to connect'
/** A NUL or half of a surrogate pair, in a text or in JSON. */
const TEXT_NOT_STORABLE = new Set(['22021', '22P05'])
/** lock_timeout: someone holds the row of the same idempotency key. */
const LOCK_NOT_AVAILABLE = '55P03'

function toCodedError(thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown
  const error = coerceError(thrown) as Partial<FastifyError> & Error
  const code = error.code ?? ''
  const known = FASTIFY_ERRORS[code]
  if (known !== undefined) return known(error.message)
  if (code === LOCK_NOT_AVAILABLE) {
    return errors.idempotency_key_in_progress('ask again in a second for its result')
  }
  if (TEXT_NOT_STORABLE.has(code)) {
    return errors.text_invalid('remove control characters from texts and ids', { cause: error })
  }
  if (DATABASE_AWAY.test(code) || error.message === POOL_EXHAUSTED) {
    return errors.database_unavailable('try again in a moment', { cause: error })
  }
  const { statusCode } = error
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return errors.request_malformed(error.message)
  }
  return errors.internal_error(error.message, { cause: error })
}

export function sendProblem(
  reply: FastifyReply,
  error: CodedError,
  extra: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const problem = toProblem(error, reply.request.id)
  if (problem.retryable && reply.getHeader('retry-after') === undefined) {
    void reply.header('retry-after', '1')
  }
  return (
    reply
      .code(problem.status)
      // Before routing no hook has run yet.
      .header('x-request-id', reply.request.id)
      .header('cache-control', 'no-store')
      .type(PROBLEM_MEDIA_TYPE)
      .serializer(JSON.stringify)
      .send({ ...problem, ...extra })
  )
}

export function handleError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = toCodedError(thrown)
  if (error.kind === 'internal') request.log.error({ err: error.cause ?? error }, 'request failed')
  if (error.code === 'api_key_missing' || error.code === 'api_key_invalid') {
    void reply.header('www-authenticate', 'Bearer realm="pare"')
  }
  void sendProblem(reply, error)
}

export const errorHandler = fp(
  (app, _options, done) => {
    app.setErrorHandler(handleError)
    app.setNotFoundHandler((request) => {
      throw errors.route_not_found(`${request.method} ${request.url.split('?', 1)[0] ?? ''}`)
    })
    done()
  },
  { name: 'error-handler' },
)
