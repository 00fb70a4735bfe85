import { type Static, Type } from 'typebox'

import { idOf, nullable, Timestamp, words } from './schema.js'

export const WEBHOOK_EVENT_TYPES = [
  'job.started',
  'job.progress',
  'job.succeeded',
  'job.failed',
  'job.canceled',
  'job.expired',
] as const

const strict = { additionalProperties: false } as const
const Url = Type.String({ minLength: 1, maxLength: 2048, examples: ['https://example.com/hook'] })
const Description = Type.String({ maxLength: 500 })
const Events = Type.Array(words(WEBHOOK_EVENT_TYPES), {
  maxItems: WEBHOOK_EVENT_TYPES.length,
  description: 'Event types to send; empty: all',
})

export const WebhookEndpointCreate = Type.Object(
  {
    url: Url,
    description: Type.Optional(Description),
    events: Type.Optional(Events),
  },
  { $id: 'WebhookEndpointCreate', ...strict },
)
export type WebhookEndpointCreate = Static<typeof WebhookEndpointCreate>

export const WebhookEndpointUpdate = Type.Object(
  {
    url: Type.Optional(Url),
    description: Type.Optional(Description),
    events: Type.Optional(Events),
    enabled: Type.Optional(Type.Boolean()),
  },
  { $id: 'WebhookEndpointUpdate', ...strict, minProperties: 1 },
)
export type WebhookEndpointUpdate = Static<typeof WebhookEndpointUpdate>

export const WebhookEndpoint = Type.Object(
  {
    id: idOf('whe'),
    url: Type.String(),
    description: Type.String(),
    events: Type.Array(Type.String()),
    enabled: Type.Boolean(),
    disabled_reason: nullable(Type.String()),
    consecutive_failures: Type.Integer(),
    last_success_at: nullable(Timestamp),
    created_at: Timestamp,
    updated_at: Timestamp,
    secret: Type.Optional(
      Type.String({ description: 'whsec_…; only in the answer to create and rotate-secret' }),
    ),
  },
  { $id: 'WebhookEndpoint' },
)
export type WebhookEndpoint = Static<typeof WebhookEndpoint>

export const SecretRotation = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 7 * 86_400,
        default: 86_400,
        description: 'How long messages are signed with the old secret too',
      }),
    ),
  },
  { $id: 'SecretRotation', ...strict },
)
export type SecretRotation = Static<typeof SecretRotation>

export const WebhookAttempt = Type.Object({
  number: Type.Integer({ minimum: 1 }),
  started_at: Timestamp,
  duration_ms: Type.Integer(),
  status: nullable(Type.Integer({ description: 'HTTP status; null: there was no answer' })),
  error: nullable(Type.String()),
  response_snippet: nullable(Type.String({ maxLength: 1024 })),
})

export const WebhookDelivery = Type.Object(
  {
    id: idOf('dlv'),
    message: Type.String({ description: 'webhook-id: the same in every attempt and replay' }),
    endpoint: idOf('whe'),
    type: Type.String(),
    job: nullable(Type.String()),
    state: words(['pending', 'succeeded', 'failed']),
    attempts: Type.Integer(),
    next_attempt_at: nullable(Timestamp),
    created_at: Timestamp,
    finished_at: nullable(Timestamp),
  },
  { $id: 'WebhookDelivery', description: 'One message to one endpoint' },
)
export type WebhookDelivery = Static<typeof WebhookDelivery>

export const WebhookDeliveryDetail = Type.Object(
  {
    ...WebhookDelivery.properties,
    body: Type.Unsafe<unknown>({ description: 'The JSON that is sent' }),
    attempt_log: Type.Array(WebhookAttempt),
  },
  { $id: 'WebhookDeliveryDetail' },
)
export type WebhookDeliveryDetail = Static<typeof WebhookDeliveryDetail>
