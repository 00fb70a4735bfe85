// Blobs as files of a local or shared folder.
//
//   <root>/blobs/ab/cdef…   verified content, named by its hash, read-only
//   <root>/tmp/…            content still arriving; renamed into place when it is complete
import { createReadStream } from 'node:fs'
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

import type { BlobInfo, BlobStore, ByteRange, PutExpectation } from './blob-store.js'
import { storageErrors } from './errors.js'
import { checkHash, writeCheckedCopy, writeHashedFile } from './hashed-file.js'
import { isOrphan, ownedName } from './process-owner.js'
import { storageFailure } from './storage-failure.js'

/** A temporary file that nobody wrote to for so long belongs to a process that is gone. */
const STALE_TEMPORARY_MS = 60 * 60 * 1000

export interface FilesystemBlobStoreOptions {
  /** Made when missing. Several processes may share it. */
  readonly root: string
}

export class FilesystemBlobStore implements BlobStore {
  readonly #blobs: string
  readonly #temporary: string

  private constructor(root: string) {
    this.#blobs = join(root, 'blobs')
    this.#temporary = join(root, 'tmp')
  }

  static async open({ root }: FilesystemBlobStoreOptions): Promise<FilesystemBlobStore> {
    const store = new FilesystemBlobStore(root)
    await mkdir(store.#blobs, { recursive: true, mode: 0o700 })
    await mkdir(store.#temporary, { recursive: true, mode: 0o700 })
    await removeStaleTemporaries(store.#temporary)
    return store
  }

  async put(source: AsyncIterable<Uint8Array>, expected?: PutExpectation): Promise<BlobInfo> {
    const path = join(this.#temporary, ownedName())
    const info = await writeHashedFile(source, path, expected)
    try {
      await this.#publish(path, info.sha256)
    } catch (error) {
      await rm(path, { force: true })
      throw storageFailure(error, 'a complete blob cannot be moved into place')
    }
    return info
  }

  putFile(path: string, expected?: PutExpectation): Promise<BlobInfo> {
    return this.put(createReadStream(path, { highWaterMark: 1 << 20 }), expected)
  }

  async get(sha256: string, range?: ByteRange): Promise<Readable> {
    const path = this.#pathOf(sha256)
    try {
      const handle = await open(path, 'r')
      return handle.createReadStream({ highWaterMark: 1 << 20, ...range })
    } catch (error) {
      if (isMissing(error)) throw notFound(sha256)
      throw storageFailure(error, 'a blob cannot be opened')
    }
  }

  async stat(sha256: string): Promise<BlobInfo | null> {
    try {
      const { size } = await stat(this.#pathOf(sha256))
      return { sha256, sizeBytes: size }
    } catch (error) {
      if (isMissing(error)) return null
      throw storageFailure(error, 'a blob cannot be looked up')
    }
  }

  async delete(sha256: string): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true }).catch((error: unknown) => {
      throw storageFailure(error, 'a blob cannot be removed')
    })
  }

  async copyToFile(sha256: string, path: string): Promise<BlobInfo> {
    return writeCheckedCopy(sha256, await this.get(sha256), path)
  }

  async checkHealth(): Promise<void> {
    try {
      await stat(this.#blobs)
      const probe = join(this.#temporary, ownedName())
      await (await open(probe, 'wx', 0o600)).close()
      await rm(probe)
    } catch (error) {
      throw storageFailure(error, 'the blob folder cannot be written')
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The rename replaces an older copy of the same bytes, which also heals a damaged one. */
  async #publish(temporary: string, sha256: string): Promise<void> {
    const path = this.#pathOf(sha256)
    const shard = join(this.#blobs, sha256.slice(0, 2))
    await mkdir(shard, { recursive: true, mode: 0o700 })
    await chmod(temporary, 0o400)
    await rename(temporary, path)
    await syncDirectory(shard)
    await syncDirectory(this.#blobs)
  }

  #pathOf(sha256: string): string {
    checkHash(sha256)
    return join(this.#blobs, sha256.slice(0, 2), sha256.slice(2))
  }
}

/** Without this a power loss may forget the new name although the bytes are on the disk. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function removeStaleTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
    if (isOrphan(name) || age > STALE_TEMPORARY_MS) await rm(path, { force: true })
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

function notFound(sha256: string): Error {
  return storageErrors.blob_not_found(`there is no blob ${sha256}`, { details: { sha256 } })
}
