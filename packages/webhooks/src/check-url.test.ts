import { CodedError } from '@pare/errors'
import { describe, expect, it } from 'vitest'

import { addressGuard } from './address-guard.js'
import { checkWebhookUrl, type WebhookPolicy } from './check-url.js'

function codeOf(url: string, policy?: WebhookPolicy): string {
  try {
    checkWebhookUrl(url, policy)
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
  return 'accepted'
}

describe('a URL on the public network', () => {
  it.each([
    'https://example.com/hooks?a=b',
    'https://example.com:8443/',
    'https://example.com:1024/',
    'https://xn--bcher-kva.example/',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1:248:1893:25c8:1946]/',
  ])('%s is accepted', (url) => {
    expect(codeOf(url)).toBe('accepted')
  })

  it.each([
    'not a url',
    'ftp://example.com/',
    'file:///etc/passwd',
    'http://example.com/',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://example.com/#part',
    'https://example.com:22/',
    'https://example.com:0/',
    'https://example.com./',
    'https://a..b/',
    `https://example.com/${'a'.repeat(3_000)}`,
  ])('%s is no webhook URL', (url) => {
    expect(codeOf(url)).toBe('webhook_url_invalid')
  })

  it.each([
    'https://localhost/',
    'https://api/',
    'https://db.internal/',
    'https://metadata.google.internal/',
    'https://printer.local/',
    'https://app.localhost/',
    'https://router.lan/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://017700000001/',
    'https://0/',
    'https://10.0.0.1/',
    'https://100.64.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://168.63.129.16/',
    'https://172.31.255.255/',
    'https://192.168.1.1/',
    'https://198.18.0.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b:1::1]/',
    'https://[100::1]/',
    'https://[2001::1]/',
    'https://[2001:db8::1]/',
    'https://[2002:7f00:1::]/',
    'https://[fc00::1]/',
    'https://[fd12::1]/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://[ff02::1]/',
  ])('%s is not public', (url) => {
    expect(codeOf(url)).toBe('webhook_address_not_allowed')
  })
})

describe('a URL on a network the operator opened', () => {
  const policy = { allowCidrs: ['127.0.0.0/8', '::1/128'] }

  it('may be http, a local name or an unusual port, if its address is in the open range', () => {
    for (const url of [
      'http://127.0.0.1:8080/',
      'http://localhost/',
      'https://[::1]:99/',
      'http://api/',
    ]) {
      expect(checkWebhookUrl(url, policy).needsOpenedAddress, url).toBe(
        url !== 'https://127.0.0.1/',
      )
    }
    expect(checkWebhookUrl('https://127.0.0.1/', policy).needsOpenedAddress).toBe(false)
  })

  it('keeps the other private ranges closed, and public addresses on https', () => {
    expect(codeOf('http://10.0.0.1/', policy)).toBe('webhook_address_not_allowed')
    expect(codeOf('https://10.0.0.1/', policy)).toBe('webhook_address_not_allowed')
    expect(codeOf('http://93.184.216.34/', policy)).toBe('webhook_url_invalid')
    expect(checkWebhookUrl('http://example.com/', policy).needsOpenedAddress).toBe(true)
  })

  it('must be written as ranges', () => {
    expect(() => addressGuard(['127.0.0.1'])).toThrow("'127.0.0.1' is not a range")
    expect(() => addressGuard(['everything'])).toThrow(CodedError)
  })
})

describe('an address', () => {
  it('with a zone or in another notation is never allowed', () => {
    const { isAllowed } = addressGuard()
    for (const address of ['fe80::1%eth0', '2606:2800::1%1', '', 'example.com']) {
      expect(isAllowed(address), address).toBe(false)
    }
    expect(isAllowed('8.8.8.8')).toBe(true)
  })
})
