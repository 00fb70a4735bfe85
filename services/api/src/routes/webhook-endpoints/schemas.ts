import {
  pageOf,
  ref,
  SecretRotation,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookEndpointCreate,
  WebhookEndpointUpdate,
} from '@pare/contracts'

import {
  commonProblems,
  IdempotencyHeaders,
  IdParams,
  Nothing,
  PageQuery,
  problems,
} from '../responses.js'

const tags = ['webhooks']
const changing = { ...commonProblems, ...problems(404, 409, 413, 415, 422) }

export const createEndpointSchema = {
  tags,
  summary: 'Register a webhook endpoint',
  description: 'Messages are signed as Standard Webhooks says. The secret is shown only now.',
  headers: IdempotencyHeaders,
  body: WebhookEndpointCreate,
  response: { 201: ref(WebhookEndpoint), ...changing },
}

export const listEndpointsSchema = {
  tags,
  summary: 'List webhook endpoints, newest first',
  querystring: PageQuery,
  response: { 200: pageOf(WebhookEndpoint), ...commonProblems },
}

export const getEndpointSchema = {
  tags,
  summary: 'Get a webhook endpoint',
  params: IdParams,
  response: { 200: ref(WebhookEndpoint), ...commonProblems, ...problems(404) },
}

export const updateEndpointSchema = {
  tags,
  summary: 'Change a webhook endpoint; enabling it forgets its failures',
  params: IdParams,
  body: WebhookEndpointUpdate,
  response: { 200: ref(WebhookEndpoint), ...changing },
}

export const deleteEndpointSchema = {
  tags,
  summary: 'Delete a webhook endpoint with its deliveries',
  params: IdParams,
  response: { 204: Nothing, ...commonProblems, ...problems(404) },
}

export const rotateSecretSchema = {
  tags,
  summary: 'Make a new secret; the old one signs too until the overlap ends',
  params: IdParams,
  headers: IdempotencyHeaders,
  body: SecretRotation,
  response: { 200: ref(WebhookEndpoint), ...changing },
}

export const testEndpointSchema = {
  tags,
  summary: 'Send a test event (endpoint.test) to this endpoint',
  params: IdParams,
  headers: IdempotencyHeaders,
  response: { 202: ref(WebhookDelivery), ...changing },
}
