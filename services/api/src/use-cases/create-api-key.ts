import { randomBytes } from 'node:crypto'

import type { ApiKey as ApiKeyView, ApiKeyCreate } from '@pare/contracts'
import { createApiKey as insertApiKey, type Db } from '@pare/database'

import { errors } from '../errors.js'
import type { Outcome } from '../mutation.js'
import { hashApiKey } from '../principal.js'
import { viewApiKey } from '../views/api-key.js'

const PREFIX = 'pare_'
const KEY_BYTES = 32
const SHOWN_CHARS = PREFIX.length + 6

/** 256 random bits behind the prefix that secret scanners recognise. */
export function newApiKey(): string {
  return PREFIX + randomBytes(KEY_BYTES).toString('base64url')
}

/** What the table stores of a key; of a short one, chosen by an operator, less is shown. */
export function storedParts(key: string): { readonly prefix: string; readonly hash: string } {
  const shown = Math.min(SHOWN_CHARS, Math.floor(key.length / 4))
  return { prefix: key.slice(0, shown), hash: hashApiKey(key) }
}

/** The stored answer of the request lacks the key: only its hash may rest in the database. */
export async function createApiKey(
  db: Db,
  projectId: string,
  { name, scopes = ['write'], expires_at: expires }: ApiKeyCreate,
): Promise<Outcome<ApiKeyView>> {
  const expiresAt = expires === undefined ? null : new Date(expires)
  if (expiresAt !== null && expiresAt <= new Date()) throw inThePast()
  const key = newApiKey()
  const row = await insertApiKey(db, { projectId, name, scopes, expiresAt, ...storedParts(key) })
  const stored = viewApiKey(row)
  return { status: 201, body: { ...stored, key }, stored }
}

function inThePast(): Error {
  const pointer = '#/expires_at'
  const detail = 'expected a time in the future'
  return errors.body_invalid(`${pointer}: ${detail}`, {
    details: { errors: [{ pointer, code: 'invalid', detail }] },
  })
}
