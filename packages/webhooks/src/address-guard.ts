/**
 * Which addresses a webhook may reach. An address is public unless it lies in a range that is not
 * globally reachable (IANA special-purpose registries, RFC 6890) or belongs to a cloud's own
 * services. Addresses that carry an IPv4 address inside are judged by it, or refused.
 */
import ipaddr from 'ipaddr.js'

import { errors } from './errors.js'

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

const DENIED = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Azure's host services, at a public address.
  '168.63.129.16/32',
  '::/96',
  // NAT64, both prefixes: they lead to any IPv4 address of the network.
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
].map(parseRange)

/** Decides over addresses; made once from the service's setting. */
export interface AddressGuard {
  readonly hasAllowList: boolean
  /** True for an address in the ranges that the operator opened. */
  readonly isOpened: (address: string) => boolean
  /** True for a public address and for one that the operator opened. */
  readonly isAllowed: (address: string) => boolean
}

/**
 * @param allowCidrs ranges opened for local use, such as `127.0.0.0/8`; empty in production
 * @throws webhook_allow_list_invalid
 */
export function addressGuard(allowCidrs: readonly string[] = []): AddressGuard {
  const opened = allowCidrs.map(parseRange)
  const isOpened = (text: string): boolean => {
    const address = parseAddress(text)
    return address !== undefined && isInside(address, opened)
  }
  const isAllowed = (text: string): boolean => {
    const address = parseAddress(text)
    if (address === undefined) return false
    return isInside(address, opened) || !isInside(address, DENIED)
  }
  return { hasAllowList: opened.length > 0, isOpened, isAllowed }
}

/** IPv4 addresses mapped into IPv6 (`::ffff:127.0.0.1`) are the IPv4 address. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // With a zone (`fe80::1%eth0`) it is link-local at best.
  if (text.includes('%') || !ipaddr.isValid(text)) return undefined
  return ipaddr.process(text)
}

function isInside(address: ipaddr.IPv4 | ipaddr.IPv6, ranges: readonly Range[]): boolean {
  return ranges.some(([base, bits]) => address.kind() === base.kind() && address.match(base, bits))
}

function parseRange(cidr: string): Range {
  try {
    return ipaddr.parseCIDR(cidr.trim())
  } catch (cause) {
    throw errors.webhook_allow_list_invalid(`'${cidr}' is not a range such as 10.0.0.0/8`, {
      cause,
    })
  }
}
