import { randomBytes } from 'node:crypto'

const SECRET_BYTES = 32

/** As Standard Webhooks wants it: whsec_ and base64; the HMAC key is what the base64 stands for. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`
}
