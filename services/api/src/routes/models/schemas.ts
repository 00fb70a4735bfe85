import { Model, pageOf, ref, Sha256, UPLOAD_STATES, words } from '@pare/contracts'
import { Type } from 'typebox'

import {
  commonProblems,
  IdempotencyHeaders,
  IdParams,
  Nothing,
  pageQuery,
  problems,
} from '../responses.js'

const tags = ['models']

export const createModelSchema = {
  tags,
  summary: 'Upload a model',
  description:
    'The ONNX file as the body, or a zip of it and its external data; any media type. Optional X-Content-SHA256 or Content-Digest. Bytes that the project has already give the model that is there (200).',
  consumes: ['application/octet-stream'],
  querystring: Type.Object(
    { name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) },
    { additionalProperties: false },
  ),
  headers: IdempotencyHeaders,
  response: { 200: ref(Model), 201: ref(Model), ...commonProblems, ...problems(409, 413, 422) },
}

export const listModelsSchema = {
  tags,
  summary: 'List models, newest first',
  querystring: pageQuery({
    state: Type.Optional(words(UPLOAD_STATES)),
    name: Type.Optional(Type.String()),
    sha256: Type.Optional(Sha256),
  }),
  response: { 200: pageOf(Model), ...commonProblems },
}

export const getModelSchema = {
  tags,
  summary: 'Get a model',
  params: IdParams,
  response: { 200: ref(Model), ...commonProblems, ...problems(404) },
}

export const deleteModelSchema = {
  tags,
  summary: 'Delete a model that no unfinished job uses',
  params: IdParams,
  response: { 204: Nothing, ...commonProblems, ...problems(404, 409) },
}
