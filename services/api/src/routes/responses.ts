// What routes share in their schemas: problem responses, pages, ids in the path.
import { Problem, PROBLEM_MEDIA_TYPE, ref } from '@pare/contracts'
import { type TObject, type TSchema, Type } from 'typebox'

const PROBLEMS = {
  400: 'The request cannot be read',
  401: 'The API key is missing or not valid',
  403: 'The API key may not do this',
  404: 'There is no such thing in this project',
  409: 'The state does not allow it',
  413: 'The body is too large',
  415: 'The media type is not accepted',
  416: 'There are no bytes in this range',
  422: 'The request is understood and refused; errors[] names the places',
  429: 'Too many requests; Retry-After says when to come back',
  500: 'The service failed',
  503: 'A part of the service is away; try again',
} as const

type ProblemStatus = keyof typeof PROBLEMS

export interface ProblemResponse {
  readonly description: string
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>
}

export function problems(...statuses: readonly ProblemStatus[]) {
  const entries = statuses.map((status): [ProblemStatus, ProblemResponse] => [
    status,
    {
      description: PROBLEMS[status],
      content: { [PROBLEM_MEDIA_TYPE]: { schema: ref(Problem) } },
    },
  ])
  return Object.fromEntries(entries) as Partial<Record<ProblemStatus, ProblemResponse>>
}

/** What any route under /v1 may answer. */
export const commonProblems = problems(400, 401, 403, 429, 500, 503)

/** An id in the path is looked up, not checked: whatever is not ours is not found. */
export const IdParams = Type.Object({ id: Type.String() })

export const IdempotencyHeaders = Type.Object(
  {
    'idempotency-key': Type.Optional(
      Type.String({
        description:
          'Quoted or bare, 1 to 255 printable characters; kept for 72 hours. The same key and request give the first answer again, with Idempotent-Replayed: true',
      }),
    ),
  },
  { additionalProperties: true },
)

export const pageFields = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, default: 50, description: 'At most 200; more is taken as 200' }),
  ),
  cursor: Type.Optional(
    Type.String({ maxLength: 1024, description: 'next_cursor of the page before' }),
  ),
}

export function pageQuery<Fields extends Record<string, TSchema>>(
  fields: Fields,
): TObject<typeof pageFields & Fields> {
  return Type.Object({ ...pageFields, ...fields }, { additionalProperties: false })
}

export const PageQuery = pageQuery({})

export const Nothing = Type.Unsafe<null>({ type: 'null', description: 'Done; no body' })
