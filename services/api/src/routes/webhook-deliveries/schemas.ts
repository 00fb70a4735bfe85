import { pageOf, ref, WebhookDelivery, WebhookDeliveryDetail, words } from '@pare/contracts'
import { Type } from 'typebox'

import { commonProblems, IdempotencyHeaders, IdParams, pageQuery, problems } from '../responses.js'

const tags = ['webhooks']

export const listDeliveriesSchema = {
  tags,
  summary: 'List webhook deliveries, newest first',
  querystring: pageQuery({
    endpoint: Type.Optional(Type.String()),
    job: Type.Optional(Type.String()),
    state: Type.Optional(words(['pending', 'succeeded', 'failed'])),
  }),
  response: { 200: pageOf(WebhookDelivery), ...commonProblems },
}

export const getDeliverySchema = {
  tags,
  summary: 'Get a webhook delivery with its body and attempts',
  params: IdParams,
  response: { 200: ref(WebhookDeliveryDetail), ...commonProblems, ...problems(404) },
}

export const replayDeliverySchema = {
  tags,
  summary: 'Send a message again, with the same id and bytes',
  params: IdParams,
  headers: IdempotencyHeaders,
  response: { 202: ref(WebhookDelivery), ...commonProblems, ...problems(404, 409, 422) },
}
