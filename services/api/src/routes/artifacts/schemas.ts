import { Artifact, ref } from '@pare/contracts'
import { Type } from 'typebox'

import { commonProblems, IdParams, Nothing, problems } from '../responses.js'

const tags = ['artifacts']

export const getArtifactSchema = {
  tags,
  summary: 'Get an artifact',
  params: IdParams,
  response: { 200: ref(Artifact), ...commonProblems, ...problems(404) },
}

const bytes = {
  description: 'The bytes',
  content: {
    'application/octet-stream': {
      schema: Type.Unsafe<unknown>({ type: 'string', format: 'binary' }),
    },
  },
}

export const getContentSchema = {
  tags,
  summary: 'Download an artifact',
  description:
    'ETag and Repr-Digest carry the SHA-256. A model beyond 2 GiB is a zip of model.onnx and weights.bin. With redirect=true a store that clients can reach answers a URL that is valid for 15 minutes (302).',
  params: IdParams,
  querystring: Type.Object(
    { redirect: Type.Optional(Type.Boolean({ default: false })) },
    { additionalProperties: false },
  ),
  headers: Type.Object(
    {
      range: Type.Optional(Type.String({ description: 'One range of bytes' })),
      'if-none-match': Type.Optional(Type.String()),
    },
    { additionalProperties: true },
  ),
  response: {
    200: bytes,
    206: bytes,
    302: Nothing,
    304: Nothing,
    ...commonProblems,
    ...problems(404, 416),
  },
}
