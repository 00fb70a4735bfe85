// Streams bytes into a new file while hashing them: the one place where content meets its name.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'

import type { BlobInfo, PutExpectation } from './blob-store.js'
import { storageErrors } from './errors.js'
import { storageFailure } from './storage-failure.js'

const HASH = /^[0-9a-f]{64}$/

export function checkHash(sha256: string): void {
  if (HASH.test(sha256)) return
  throw storageErrors.storage_url_invalid(
    'a blob is named by 64 lower-case hexadecimal digits, its SHA-256',
  )
}

/**
 * Writes `source` to the new file `path`, durably, and checks it against what was expected.
 * On any failure the file is gone again.
 */
export function writeHashedFile(
  source: AsyncIterable<Uint8Array>,
  path: string,
  expected: PutExpectation = {},
): Promise<BlobInfo> {
  return writeNewFile(source, path, { expected, isDurable: true })
}

interface NewFile {
  readonly expected: PutExpectation
  /** On the disk when it is written, and not only in the system's memory. */
  readonly isDurable: boolean
}

async function writeNewFile(
  source: AsyncIterable<Uint8Array>,
  path: string,
  { expected, isDurable }: NewFile,
): Promise<BlobInfo> {
  const handle = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw storageFailure(error, 'a temporary file cannot be created')
  })
  try {
    const info = await hashInto(source, expected, async (chunk) => {
      await handle.appendFile(chunk).catch((error: unknown) => {
        throw storageFailure(error, 'a temporary file cannot be written')
      })
    })
    if (isDurable) await handle.sync()
    return info
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

/** Hashes a local file without copying it. */
export function hashFile(path: string, expected: PutExpectation = {}): Promise<BlobInfo> {
  return hashInto(createReadStream(path, { highWaterMark: 1 << 20 }), expected)
}

async function hashInto(
  source: AsyncIterable<Uint8Array>,
  expected: PutExpectation,
  write?: (chunk: Uint8Array) => Promise<void>,
): Promise<BlobInfo> {
  const hash = createHash('sha256')
  const maxBytes = Math.min(expected.maxBytes ?? Infinity, expected.sizeBytes ?? Infinity)
  let sizeBytes = 0
  for await (const chunk of source) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > maxBytes) throw tooLong(sizeBytes, expected)
    hash.update(chunk)
    await write?.(chunk)
  }
  const info = { sha256: hash.digest('hex'), sizeBytes }
  checkExpected(info, expected)
  return info
}

function tooLong(sizeBytes: number, expected: PutExpectation): Error {
  if (expected.sizeBytes !== undefined && sizeBytes > expected.sizeBytes) {
    return storageErrors.blob_mismatch(
      `${expected.sizeBytes} bytes were announced and more arrived`,
      { details: { expectedSizeBytes: expected.sizeBytes } },
    )
  }
  return storageErrors.blob_too_large(
    `more than the allowed ${expected.maxBytes ?? 0} bytes arrived`,
    { details: { maxBytes: expected.maxBytes } },
  )
}

function checkExpected(info: BlobInfo, expected: PutExpectation): void {
  if (expected.sizeBytes !== undefined && info.sizeBytes !== expected.sizeBytes) {
    throw storageErrors.blob_mismatch(
      `${expected.sizeBytes} bytes were announced and ${info.sizeBytes} arrived`,
      { details: { expectedSizeBytes: expected.sizeBytes, sizeBytes: info.sizeBytes } },
    )
  }
  if (expected.sha256 !== undefined && info.sha256 !== expected.sha256) {
    throw storageErrors.blob_mismatch('the SHA-256 of the bytes is not the announced one', {
      details: { expectedSha256: expected.sha256, sha256: info.sha256 },
    })
  }
}

/**
 * Copies an opened blob to a file and turns a wrong hash into `blob_corrupt`. The copy is not made
 * durable: whoever reads it reads it now, and of a model waiting for the disk takes most of the time.
 */
export async function writeCheckedCopy(
  sha256: string,
  source: AsyncIterable<Uint8Array>,
  path: string,
): Promise<BlobInfo> {
  let info: BlobInfo
  try {
    info = await writeNewFile(source, path, { expected: {}, isDurable: false })
  } catch (error) {
    throw storageFailure(error, 'a blob cannot be read to its end')
  }
  if (info.sha256 === sha256) return info
  await rm(path, { force: true })
  throw storageErrors.blob_corrupt('the bytes read from the store have another hash', {
    details: { sha256, readSha256: info.sha256, sizeBytes: info.sizeBytes },
  })
}
