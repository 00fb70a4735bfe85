import { CodedError } from '@pare/errors'
import { checkWebhookUrl } from '@pare/webhooks'

import type { ApiSettings } from '../deps.js'

/** @throws webhook_url_invalid, webhook_address_not_allowed; pointing at #/url */
export function checkEndpointUrl(
  url: string,
  { webhookAllowCidrs }: Pick<ApiSettings, 'webhookAllowCidrs'>,
): void {
  try {
    checkWebhookUrl(url, { allowCidrs: webhookAllowCidrs })
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const details = { ...error.details, pointer: '#/url' }
    throw new CodedError({ ...error.toJSON(), details, cause: error })
  }
}
