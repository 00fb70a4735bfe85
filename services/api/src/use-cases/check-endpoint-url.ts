import type { ApiSettings } from '../deps.js'
import { errors } from '../errors.js'

/** @throws body_invalid */
export function checkEndpointUrl(
  url: string,
  _settings: Pick<ApiSettings, 'webhookAllowCidrs'>,
): void {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return
  const detail = 'expected an http or https URL'
  throw errors.body_invalid(`#/url: ${detail}`, {
    details: { errors: [{ pointer: '#/url', code: 'invalid', detail }] },
  })
}
