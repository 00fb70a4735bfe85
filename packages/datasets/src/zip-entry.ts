// Streams one entry of an archive, counting bytes while they are inflated: whatever the directory
// claims, no more than the claim ever comes out.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'

import { coerceError } from '@pare/errors'

import { errors } from './errors.js'
import { type RandomAccess, readRange } from './random-access.js'
import type { ZipEntry } from './zip-directory.js'

/**
 * The bytes of an entry, in pieces. Throws `dataset_inflation_refused` as soon as it inflates to
 * more than it claims, `dataset_archive_invalid` when it is damaged, is shorter than it claims, or
 * its checksum is wrong. A consumer that stops early stops the inflating.
 */
export async function* readZipEntry(
  source: RandomAccess,
  entry: ZipEntry,
): AsyncGenerator<Uint8Array> {
  const range = { offset: entry.dataOffset, length: entry.compressedBytes }
  const pieces = entry.method === 'stored' ? readRange(source, range) : inflate(source, entry)
  let count = 0
  let checksum = 0
  for await (const piece of pieces) {
    count += piece.byteLength
    if (count > entry.inflatedBytes) throw tooLong(entry)
    checksum = crc32(piece, checksum)
    yield piece
  }
  if (count !== entry.inflatedBytes) {
    throw damaged(entry, `it has ${count} bytes and claims ${entry.inflatedBytes}`)
  }
  if (checksum !== entry.crc32) throw damaged(entry, 'its checksum is wrong')
}

async function* inflate(source: RandomAccess, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const range = { offset: entry.dataOffset, length: entry.compressedBytes }
  const inflater = createInflateRaw({ chunkSize: 256 << 10 })
  const feeding = pipeline(Readable.from(readRange(source, range, 64 << 10)), inflater)
  // The consumer of `inflater` sees the same failure, and an early stop is no failure at all.
  feeding.catch(() => undefined)
  try {
    for await (const piece of inflater) yield piece as Uint8Array
  } catch (thrown) {
    const error = coerceError(thrown)
    if ('code' in error && String(error.code).startsWith('Z_')) {
      throw damaged(entry, error.message, error)
    }
    throw error
  } finally {
    inflater.destroy()
  }
}

function tooLong(entry: ZipEntry): Error {
  return errors.dataset_inflation_refused(
    `the archive entry "${entry.name}" claims ${entry.inflatedBytes} bytes and inflates to more`,
    { details: { entry: entry.name, claimedBytes: entry.inflatedBytes } },
  )
}

function damaged(entry: ZipEntry, why: string, cause?: Error): Error {
  return errors.dataset_archive_invalid(
    `the archive entry "${entry.name}" is damaged (${why}): send the file again`,
    { details: { entry: entry.name }, ...(cause === undefined ? {} : { cause }) },
  )
}
