// Failures on the wire (RFC 9457), the same whether they answer a request or ended a job.
import { FAULTS } from '@pare/errors'
import { type Static, Type } from 'typebox'

import { words } from './schema.js'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

export const ProblemPart = Type.Object(
  {
    detail: Type.String(),
    pointer: Type.Optional(
      Type.String({ description: 'Element of the request, a JSON pointer as a URI fragment' }),
    ),
    parameter: Type.Optional(Type.String({ description: 'Query parameter or header' })),
    code: Type.String(),
  },
  { additionalProperties: true },
)

export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'Page about this code' }),
    title: Type.String({ description: 'Constant per code' }),
    status: Type.Integer({ description: 'HTTP status; of a job error, the one it would have' }),
    detail: Type.String({ description: 'What happened this time and what to do about it' }),
    instance: Type.Optional(Type.String({ format: 'uri-reference' })),
    code: Type.String({ description: 'Stable; decide on this' }),
    fault: words(FAULTS, { description: 'Who has to act' }),
    retryable: Type.Boolean({ description: 'The same request may succeed later' }),
    request_id: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(ProblemPart)),
    details: Type.Optional(
      Type.Unsafe<Readonly<Record<string, unknown>>>({
        type: 'object',
        additionalProperties: true,
        description: 'Facts about this occurrence; members depend on the code',
      }),
    ),
  },
  { $id: 'Problem', additionalProperties: true },
)
export type Problem = Static<typeof Problem>
