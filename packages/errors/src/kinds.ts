/**
 * Every kind of failure the product knows. The list is closed: the API maps a kind to an HTTP
 * status, the worker maps it to "try again" or "give up", each in one place.
 */
export const ERROR_KINDS = [
  'invalid_input',
  'unsupported',
  'not_found',
  'conflict',
  'unauthorized',
  'forbidden',
  'limit_exceeded',
  'constraint_unmet',
  'timeout',
  'unavailable',
  'cancelled',
  'internal',
] as const

export type ErrorKind = (typeof ERROR_KINDS)[number]

/** Who has to act: the caller, the owner of the model or data, or the operator of the service. */
export const FAULTS = ['client', 'model', 'data', 'capacity', 'internal'] as const

export type Fault = (typeof FAULTS)[number]
