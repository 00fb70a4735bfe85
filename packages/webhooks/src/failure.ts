/** Names for attempts that got no answer, as shown in the delivery log. */
import { CodedError } from '@pare/errors'

export const FAILURE_CLASSES = [
  'url_not_allowed',
  'address_not_allowed',
  'name_not_resolved',
  'connect_timeout',
  'connection_refused',
  'connection_reset',
  'tls_failed',
  'timeout',
  'response_invalid',
  'network_failed',
] as const

export type FailureClass = (typeof FAILURE_CLASSES)[number]

const CLASS_BY_CODE: ReadonlyMap<string, FailureClass> = new Map<string, FailureClass>([
  ['webhook_address_not_allowed', 'address_not_allowed'],
  ['webhook_url_invalid', 'url_not_allowed'],
  ['ADDRESS_NOT_ALLOWED', 'address_not_allowed'],
  ['ENOTFOUND', 'name_not_resolved'],
  ['EAI_AGAIN', 'name_not_resolved'],
  ['ENODATA', 'name_not_resolved'],
  ['UND_ERR_CONNECT_TIMEOUT', 'connect_timeout'],
  ['ETIMEDOUT', 'connect_timeout'],
  ['ECONNREFUSED', 'connection_refused'],
  ['ECONNRESET', 'connection_reset'],
  ['EPIPE', 'connection_reset'],
  ['UND_ERR_SOCKET', 'connection_reset'],
  ['UND_ERR_HEADERS_TIMEOUT', 'timeout'],
  ['UND_ERR_BODY_TIMEOUT', 'timeout'],
  ['UND_ERR_HEADERS_OVERFLOW', 'response_invalid'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls_failed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls_failed'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls_failed'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'tls_failed'],
])

/** The class of whatever an attempt threw; `isTimeUp` when our own deadline ended it. */
export function classifyFailure(thrown: unknown, isTimeUp: boolean): FailureClass {
  if (isTimeUp) return 'timeout'
  const code = codeOf(thrown)
  const known = CLASS_BY_CODE.get(code)
  if (known !== undefined) return known
  if (code.startsWith('HPE_')) return 'response_invalid'
  return /^(ERR_TLS|ERR_SSL|CERT_)/.test(code) || code === 'EPROTO'
    ? 'tls_failed'
    : 'network_failed'
}

function codeOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return codeOf(thrown.errors[0])
  if (thrown instanceof CodedError) return thrown.code
  if (!(thrown instanceof Error)) return ''
  // undici gives this one a name and only sometimes a code.
  if (thrown.name === 'HTTPParserError') return 'HPE_ANY'
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  return CLASS_BY_CODE.has(code) || thrown.cause === undefined ? code : codeOf(thrown.cause)
}
