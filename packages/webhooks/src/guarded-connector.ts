/**
 * Connects to allowed addresses only. The name is resolved by us at every attempt, every address of
 * the answer is checked, and the socket goes to those very addresses, so a name that changes its
 * answer between check and connect (DNS rebinding) gains nothing. Literal addresses never reach a
 * resolver; they are checked once more on the connected socket.
 */
import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

import { buildConnector } from 'undici'

import type { AddressGuard } from './address-guard.js'

/** Answers with all addresses of a name. */
export type ResolveHost = (hostname: string) => Promise<readonly ResolvedAddress[]>

export interface ResolvedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** A name resolved to an address that webhooks may not reach. */
class AddressNotAllowed extends Error {
  readonly code = 'ADDRESS_NOT_ALLOWED'

  constructor() {
    super('the host has an address that is not public')
    this.name = 'AddressNotAllowed'
  }
}

export interface ConnectorOptions {
  readonly isAllowed: AddressGuard['isAllowed']
  readonly timeoutMs: number
  readonly resolve?: ResolveHost
  readonly onConnect: (address: string) => void
}

export function guardedConnector(options: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.timeoutMs,
    // A session of one endpoint is never offered to the next.
    maxCachedSessions: 0,
    lookup: guardedLookup(options),
  })
  return (target, callback) => {
    connect(target, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      const address = socket.remoteAddress ?? ''
      if (options.isAllowed(address)) {
        options.onConnect(address)
        callback(null, socket)
        return
      }
      socket.destroy()
      callback(new AddressNotAllowed(), null)
    })
  }
}

function guardedLookup({ resolve = resolveBySystem, isAllowed }: ConnectorOptions): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined || !addresses.every(({ address }) => isAllowed(address))) {
          callback(new AddressNotAllowed(), '', 0)
        } else if (all === true) callback(null, [...addresses])
        else callback(null, first.address, first.family)
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, '', 0)
      },
    )
  }
}

function resolveBySystem(hostname: string): Promise<readonly ResolvedAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true, verbatim: true }, (error, addresses) => {
      if (error !== null) reject(error)
      else
        resolve(addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })))
    })
  })
}
