import { Dataset, pageOf, ref, Sha256, UPLOAD_STATES, words } from '@pare/contracts'
import { Type } from 'typebox'

import {
  commonProblems,
  IdempotencyHeaders,
  IdParams,
  Nothing,
  pageQuery,
  problems,
} from '../responses.js'

const tags = ['datasets']

export const createDatasetSchema = {
  tags,
  summary: 'Upload a dataset',
  description:
    'An .npz or .npy file as the body, its arrays named as the inputs of the model, one row per sample, any media type. Optional X-Content-SHA256 or Content-Digest. Bytes that the project has already, with the same labels, give the dataset that is there (200).',
  consumes: ['application/octet-stream'],
  querystring: Type.Object(
    {
      name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      labels: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 200,
          description: 'The array that holds the labels; default: label or labels',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  headers: IdempotencyHeaders,
  response: { 200: ref(Dataset), 201: ref(Dataset), ...commonProblems, ...problems(409, 413, 422) },
}

export const listDatasetsSchema = {
  tags,
  summary: 'List datasets, newest first',
  querystring: pageQuery({
    state: Type.Optional(words(UPLOAD_STATES)),
    name: Type.Optional(Type.String()),
    sha256: Type.Optional(Sha256),
  }),
  response: { 200: pageOf(Dataset), ...commonProblems },
}

export const getDatasetSchema = {
  tags,
  summary: 'Get a dataset',
  params: IdParams,
  response: { 200: ref(Dataset), ...commonProblems, ...problems(404) },
}

export const deleteDatasetSchema = {
  tags,
  summary: 'Delete a dataset that no unfinished job uses',
  params: IdParams,
  response: { 204: Nothing, ...commonProblems, ...problems(404, 409) },
}
