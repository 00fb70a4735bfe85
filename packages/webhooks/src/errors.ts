import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  webhook_url_invalid: {
    kind: 'invalid_input',
    title: 'The address of a webhook endpoint is not one that can be called',
  },
  webhook_address_not_allowed: {
    kind: 'invalid_input',
    title: 'The address of a webhook endpoint is not public',
  },
  webhook_allow_list_invalid: {
    kind: 'internal',
    title: 'The list of address ranges open to webhooks cannot be read',
  },
  webhook_secret_invalid: {
    kind: 'invalid_input',
    title: 'A webhook secret is not whsec_ followed by 24 to 64 bytes in base64',
  },
  webhook_message_invalid: {
    kind: 'internal',
    title: 'A webhook message cannot be signed as it is',
  },
  webhook_signature_invalid: {
    kind: 'unauthorized',
    title: 'A webhook does not carry a valid signature',
  },
  webhook_timestamp_invalid: {
    kind: 'unauthorized',
    title: 'A webhook was signed too long ago or too far ahead',
  },
})
