/** Which URLs a webhook may have, as far as the text tells; the address is checked when sending. */
import { isIP } from 'node:net'

import { addressGuard } from './address-guard.js'
import { errors } from './errors.js'

export interface WebhookPolicy {
  /** Address ranges opened for local use, in CIDR notation; empty in production. */
  readonly allowCidrs?: readonly string[]
}

export interface CheckedUrl {
  readonly url: URL
  /** Without brackets. */
  readonly hostname: string
  /**
   * The URL breaks a rule that holds for the public network (https, a public name, a usual port):
   * every address behind it must lie in an opened range.
   */
  readonly needsOpenedAddress: boolean
}

const MAX_URL_LENGTH = 2_048
const USUAL_PORTS = new Set([80, 443, 8443])
const LOCAL_SUFFIXES = ['.local', '.internal', '.localhost', '.localdomain', '.home.arpa', '.lan']

/**
 * Used when an endpoint is registered and again before every attempt. Spellings such as
 * `0x7f000001`, `2130706433` and `127.1` are addresses to WHATWG's URL and checked as such.
 *
 * @throws webhook_url_invalid, webhook_address_not_allowed, webhook_allow_list_invalid
 */
export function checkWebhookUrl(text: string, policy: WebhookPolicy = {}): CheckedUrl {
  const url = parse(text)
  const guard = addressGuard(policy.allowCidrs)
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  const isAddress = isIP(hostname) !== 0
  if (isAddress && !guard.isAllowed(hostname)) throw notAllowed(`the address ${hostname}`)
  if (!isAddress) checkLabels(hostname)

  const broken = brokenRule(url, hostname, isAddress)
  if (broken !== undefined && !guard.hasAllowList) throw broken
  if (broken !== undefined && isAddress && !guard.isOpened(hostname)) throw broken
  return { url, hostname, needsOpenedAddress: broken !== undefined }
}

function parse(text: string): URL {
  if (text.length > MAX_URL_LENGTH) throw invalid(`it is longer than ${MAX_URL_LENGTH} characters`)
  if (!URL.canParse(text)) throw invalid('it is not a URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw invalid('it is not https')
  if (url.username !== '' || url.password !== '') throw invalid('it holds a user name or password')
  if (url.hash !== '') throw invalid('it has a fragment (#), which is never sent')
  return url
}

function checkLabels(hostname: string): void {
  if (hostname.endsWith('.')) throw invalid('its host ends in a dot')
  if (hostname.split('.').some((label) => label === '' || label.length > 63)) {
    throw invalid('its host is not a name')
  }
}

function brokenRule(url: URL, hostname: string, isAddress: boolean): Error | undefined {
  if (url.protocol !== 'https:') return invalid('it is not https')
  const port = Number(url.port === '' ? 443 : url.port)
  if (!USUAL_PORTS.has(port) && port < 1_024)
    return invalid(`port ${port} belongs to another service`)
  if (isAddress) return undefined
  const isLocal = !hostname.includes('.') || LOCAL_SUFFIXES.some((end) => hostname.endsWith(end))
  return isLocal ? notAllowed(`the host ${hostname}`) : undefined
}

function invalid(why: string): Error {
  return errors.webhook_url_invalid(`the URL of the endpoint cannot be used: ${why}`)
}

function notAllowed(what: string): Error {
  return errors.webhook_address_not_allowed(`${what} is not on the public internet`)
}
