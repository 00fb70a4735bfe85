// Streams a body to the object store while it is hashed. Nothing is buffered and nothing is parsed:
// what the bytes are, a worker finds out.
import type { IncomingMessage } from 'node:http'

import { CodedError } from '@pare/errors'
import type { BlobInfo, BlobStore } from '@pare/storage'

import { errors } from '../errors.js'

export interface UploadLimits {
  readonly maxBytes: number
}

/** @throws body_required, body_too_large, digest_mismatch, request_malformed (ended early) */
export async function storeUpload(
  store: BlobStore,
  request: IncomingMessage,
  { maxBytes }: UploadLimits,
): Promise<BlobInfo> {
  checkLength(request, maxBytes)
  const sha256 = announcedHash(request)
  try {
    // An upload that is refused half way is drained, so that the client gets to read why.
    const source = request.iterator({ destroyOnReturn: false })
    const blob = await store.put(source, { maxBytes, ...(sha256 === undefined ? {} : { sha256 }) })
    if (blob.sizeBytes === 0) throw errors.body_required('send the bytes of the file as the body')
    return blob
  } catch (error) {
    request.resume()
    throw explain(error, request, maxBytes)
  }
}

function checkLength({ headers }: IncomingMessage, maxBytes: number): void {
  const length = headers['content-length']
  if (length === '0' || (length === undefined && headers['transfer-encoding'] === undefined)) {
    throw errors.body_required('send the bytes of the file as the body')
  }
  if (Number(length ?? 0) > maxBytes) throw tooLarge(maxBytes)
}

const HEX = /^[0-9a-f]{64}$/i
/** Content-Digest (RFC 9530): a dictionary of byte sequences. */
const SHA256_MEMBER = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/

function announcedHash({ headers }: IncomingMessage): string | undefined {
  const hex = headers['x-content-sha256']
  if (typeof hex === 'string') {
    if (HEX.test(hex)) return hex.toLowerCase()
    throw malformedDigest('x-content-sha256')
  }
  const digest = headers['content-digest']
  if (typeof digest !== 'string') return undefined
  const value = SHA256_MEMBER.exec(digest)?.[1]
  if (value === undefined) throw malformedDigest('Content-Digest')
  return Buffer.from(value, 'base64').toString('hex')
}

function malformedDigest(parameter: string): CodedError {
  const detail = 'expected a SHA-256'
  return errors.parameter_invalid(`${parameter}: ${detail}`, {
    details: { errors: [{ parameter, code: 'invalid', detail }] },
  })
}

function tooLarge(maxBytes: number): CodedError {
  return errors.body_too_large(`uploads may have ${maxBytes} bytes`, {
    details: { max_bytes: maxBytes },
  })
}

function explain(error: unknown, request: IncomingMessage, maxBytes: number): unknown {
  if (error instanceof CodedError) {
    if (error.code === 'blob_too_large') return tooLarge(maxBytes)
    if (error.code === 'blob_mismatch') {
      return errors.digest_mismatch('the body changed on its way: send it again', { cause: error })
    }
    return error
  }
  if (!request.complete && request.destroyed) {
    return errors.request_malformed('the connection ended before the body did', { cause: error })
  }
  return error
}
