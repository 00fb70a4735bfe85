// The BlobStore port as a test suite; every adapter runs it against its real service.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { BlobStore } from './blob-store.js'

export interface BlobStoreUnderTest {
  readonly store: BlobStore
  /** Replaces the stored bytes of a blob behind the store's back. */
  corrupt(sha256: string, bytes: Uint8Array): Promise<void>
  /** Names of everything temporary that the adapter holds right now. */
  leftovers(): Promise<readonly string[]>
  dispose(): Promise<void>
}

/** Large enough that an adapter with multipart uploads uses several parts. */
const LARGE_BYTES = 20 * (1 << 20) + 17

export function describeBlobStore(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  describe(`${name} as a blob store`, () => {
    let subject: BlobStoreUnderTest
    let folder: string

    beforeAll(async () => {
      subject = await make()
      folder = await mkdtemp(join(tmpdir(), 'pare-blob-test-'))
    })
    afterAll(async () => {
      await subject.dispose()
      await rm(folder, { recursive: true, force: true })
    })

    const cases = { subject: () => subject, path: (file: string) => join(folder, file) }
    describeWriting(cases)
    describeRefusals(cases)
    describeReading(cases)
  })
}

interface Cases {
  readonly subject: () => BlobStoreUnderTest
  readonly path: (file: string) => string
}

function describeWriting({ subject, path }: Cases): void {
  it('names what it stored by hash and size, and gives it back', async () => {
    const bytes = randomBytes(100_003)
    const info = await subject().store.put(chunksOf(bytes, 4096))
    expect(info).toEqual({ sha256: hashOf(bytes), sizeBytes: bytes.length })
    expect(await subject().store.stat(info.sha256)).toEqual(info)
    expect(await read(subject().store, info.sha256)).toEqual(bytes)
  })

  it('stores nothing at all as well as anything else', async () => {
    const info = await subject().store.put(chunksOf(new Uint8Array(), 1))
    expect(info.sizeBytes).toBe(0)
    expect(await read(subject().store, info.sha256)).toHaveLength(0)
  })

  it('stores a file larger than one part and leaves the file alone', async () => {
    const bytes = randomBytes(LARGE_BYTES)
    await writeFile(path('large'), bytes)
    const info = await subject().store.putFile(path('large'), { sha256: hashOf(bytes) })
    expect(info.sizeBytes).toBe(LARGE_BYTES)
    expect((await stat(path('large'))).size).toBe(LARGE_BYTES)
    await subject().store.copyToFile(info.sha256, path('large-copy'))
    expect(hashOf(await readFile(path('large-copy')))).toBe(info.sha256)
  })

  it('keeps one blob when the same content arrives many times at once', async () => {
    const bytes = randomBytes(200_000)
    const puts = Array.from({ length: 8 }, () => subject().store.put(chunksOf(bytes, 10_000)))
    const infos = await Promise.all(puts)
    expect(new Set(infos.map(({ sha256 }) => sha256))).toEqual(new Set([hashOf(bytes)]))
    expect(await read(subject().store, hashOf(bytes))).toEqual(bytes)
    expect(await subject().leftovers()).toEqual([])
  })
}

function describeRefusals({ subject, path }: Cases): void {
  it('refuses bytes with another hash than announced, and shows them to nobody', async () => {
    const bytes = randomBytes(5000)
    const put = subject().store.put(chunksOf(bytes, 1000), { sha256: '0'.repeat(64) })
    await expect(put).rejects.toMatchObject({ code: 'blob_mismatch' })
    expect(await subject().store.stat(hashOf(bytes))).toBeNull()
    expect(await subject().leftovers()).toEqual([])
  })

  it.each([4999, 5001])('refuses 5000 bytes when %d were announced', async (sizeBytes) => {
    const bytes = randomBytes(5000)
    const put = subject().store.put(chunksOf(bytes, 1000), { sizeBytes })
    await expect(put).rejects.toMatchObject({ code: 'blob_mismatch' })
    expect(await subject().store.stat(hashOf(bytes))).toBeNull()
  })

  it('stops at the size limit without reading the rest', async () => {
    let taken = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += 1
        yield await Promise.resolve(new Uint8Array(1000))
      }
    }
    const put = subject().store.put(endless(), { maxBytes: 10_000 })
    await expect(put).rejects.toMatchObject({ code: 'blob_too_large' })
    expect(taken).toBe(11)
    expect(await subject().leftovers()).toEqual([])
  })

  it('leaves nothing behind when the source breaks off, and passes its error on', async () => {
    const bytes = randomBytes(LARGE_BYTES)
    const broken = new Error('the client went away')
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(bytes, 1 << 20)
      throw broken
    }
    await expect(subject().store.put(breaking())).rejects.toBe(broken)
    expect(await subject().store.stat(hashOf(bytes))).toBeNull()
    expect(await subject().leftovers()).toEqual([])
  })

  it('says which blob it does not have', async () => {
    const sha256 = hashOf(randomBytes(8))
    const missing = { code: 'blob_not_found', details: { sha256 } }
    await expect(subject().store.get(sha256)).rejects.toMatchObject(missing)
    const copy = subject().store.copyToFile(sha256, path('missing'))
    await expect(copy).rejects.toMatchObject(missing)
    expect(await subject().store.stat(sha256)).toBeNull()
  })

  it('refuses a name that is not a hash, so that no path can be smuggled in', async () => {
    const get = subject().store.get('../../etc/passwd')
    await expect(get).rejects.toMatchObject({ code: 'storage_url_invalid' })
  })

  it('does not overwrite a file when it copies a blob out', async () => {
    const { sha256 } = await subject().store.put(chunksOf(randomBytes(10), 10))
    await writeFile(path('taken'), 'mine')
    await expect(subject().store.copyToFile(sha256, path('taken'))).rejects.toThrow()
    expect(await readFile(path('taken'), 'utf8')).toBe('mine')
  })
}

function describeReading({ subject, path }: Cases): void {
  it('reads a range whose both ends are included, or from a position to the end', async () => {
    const bytes = randomBytes(10_000)
    const { sha256 } = await subject().store.put(chunksOf(bytes, 3000))
    const middle = await subject().store.get(sha256, { start: 100, end: 199 })
    expect(await buffer(middle)).toEqual(bytes.subarray(100, 200))
    const tail = await subject().store.get(sha256, { start: 9990 })
    expect(await buffer(tail)).toEqual(bytes.subarray(9990))
  })

  it('copies out only bytes that still have their hash', async () => {
    const { sha256 } = await subject().store.put(chunksOf(randomBytes(3000), 1000))
    await subject().corrupt(sha256, randomBytes(3000))
    const copy = subject().store.copyToFile(sha256, path('corrupt'))
    await expect(copy).rejects.toMatchObject({ code: 'blob_corrupt' })
    await expect(stat(path('corrupt'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('copies to a file that only its owner can read', async () => {
    const { sha256 } = await subject().store.put(chunksOf(randomBytes(30), 10))
    await subject().store.copyToFile(sha256, path('private'))
    expect((await stat(path('private'))).mode & 0o777).toBe(0o600)
  })

  it('forgets a deleted blob, and does not mind deleting it again', async () => {
    const { sha256 } = await subject().store.put(chunksOf(randomBytes(30), 10))
    await subject().store.delete(sha256)
    await subject().store.delete(sha256)
    expect(await subject().store.stat(sha256)).toBeNull()
  })

  it('answers a health check', async () => {
    await expect(subject().store.checkHealth()).resolves.toBeUndefined()
  })
}

/** What a folder tree holds, as paths of its files. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    yield await Promise.resolve(bytes.subarray(start, start + size))
  }
}

async function read(store: BlobStore, sha256: string): Promise<Buffer> {
  return buffer(await store.get(sha256))
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
