import { ApiKey, ApiKeyCreate, pageOf, ref } from '@pare/contracts'

import { commonProblems, IdempotencyHeaders, IdParams, PageQuery, problems } from '../responses.js'

const tags = ['api-keys']

export const createApiKeySchema = {
  tags,
  summary: 'Create an API key for this project',
  description: 'The key is shown only now; a replay of the request does not show it again.',
  headers: IdempotencyHeaders,
  body: ApiKeyCreate,
  response: { 201: ref(ApiKey), ...commonProblems, ...problems(409, 413, 415, 422) },
}

export const listApiKeysSchema = {
  tags,
  summary: 'List API keys, newest first',
  querystring: PageQuery,
  response: { 200: pageOf(ApiKey), ...commonProblems },
}

export const revokeApiKeySchema = {
  tags,
  summary: 'Revoke an API key for good; other API processes notice within seconds',
  params: IdParams,
  response: { 200: ref(ApiKey), ...commonProblems, ...problems(404) },
}
