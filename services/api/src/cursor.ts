// Opaque cursors. The signature keeps callers from building their own, the hash of the filters
// keeps a cursor with the list it came from. A cursor carries no authority.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

import type { PagePosition } from '@pare/database'

import { errors } from './errors.js'

export interface Cursors {
  readonly encode: (position: PagePosition, filters: unknown) => string
  /** @throws cursor_invalid when it is damaged, forged, or of a list with other filters. */
  readonly decode: (cursor: string, filters: unknown) => PagePosition
}

const VERSION = 1
const SIGNATURE_BYTES = 16

export function createCursors(secret: string): Cursors {
  const sign = (payload: Uint8Array) =>
    createHmac('sha256', secret).update(payload).digest().subarray(0, SIGNATURE_BYTES)
  return {
    encode: ({ createdAt, id }, filters) => {
      const fields = [VERSION, createdAt.getTime(), id, hashOf(filters)]
      const payload = Buffer.from(JSON.stringify(fields))
      return Buffer.concat([sign(payload), payload]).toString('base64url')
    },
    decode: (cursor, filters) => {
      const bytes = Buffer.from(cursor, 'base64url')
      const payload = bytes.subarray(SIGNATURE_BYTES)
      const signature = bytes.subarray(0, SIGNATURE_BYTES)
      if (payload.length === 0 || !timingSafeEqual(signature, sign(payload))) {
        throw errors.cursor_invalid('take next_cursor from the page before, unchanged')
      }
      // Signed by us, so its shape is known.
      const [version, time, id, hash] = JSON.parse(payload.toString()) as [
        number,
        number,
        string,
        string,
      ]
      if (version !== VERSION || hash !== hashOf(filters)) {
        throw errors.cursor_invalid('the filters changed since the page before: start again')
      }
      return { createdAt: new Date(time), id }
    },
  }
}

function hashOf(filters: unknown): string {
  return createHash('sha256').update(JSON.stringify(filters)).digest('base64url').slice(0, 16)
}
