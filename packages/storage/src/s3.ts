// Blobs as objects of an S3 bucket, or of any store that speaks its protocol.
//
// Bytes whose hash is not known yet are first spooled to a local file; only verified content is
// uploaded, straight to its final key. A single PUT and a completed multipart upload are atomic, so
// nobody ever sees a part of a blob; parts of a broken upload are aborted here and, after a crash,
// by the bucket's AbortIncompleteMultipartUpload lifecycle rule.
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'

import type {
  BlobInfo,
  BlobStore,
  ByteRange,
  PresignOptions,
  PutExpectation,
} from './blob-store.js'
import { storageErrors } from './errors.js'
import { checkHash, hashFile, writeCheckedCopy, writeHashedFile } from './hashed-file.js'
import { isOrphan, ownedName } from './process-owner.js'
import { storageFailure } from './storage-failure.js'

const MEBIBYTE = 1 << 20
/** S3 allows 10,000 parts of at least 5 MiB. */
const MAX_PARTS = 10_000
const MIN_PART_BYTES = 8 * MEBIBYTE
/** Before each look at what was stored: some compatible stores answer before they have written. */
const CHECK_PAUSES_MS: readonly number[] = [0, 20, 100, 500, 2000]

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3BlobStoreOptions {
  readonly bucket: string
  /** Put before every key, for buckets shared with others; `''` or ending in `/`. */
  readonly prefix?: string
  /** Of an S3-compatible store; leave out for AWS itself. */
  readonly endpoint?: string
  readonly region?: string
  /** Default: the SDK's own chain (environment, instance role). */
  readonly credentials?: S3Credentials
  /** Where uploads rest until their hash is known. Default: the system's temporary folder. */
  readonly spoolRoot?: string
}

/** Smallest whole number of MiB with which the file fits into the allowed number of parts. */
export function partSizeOf(sizeBytes: number): number {
  const needed = Math.ceil(sizeBytes / MAX_PARTS / MEBIBYTE) * MEBIBYTE
  return Math.max(MIN_PART_BYTES, needed)
}

export class S3BlobStore implements BlobStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #spool: string

  private constructor(client: S3Client, spool: string, options: S3BlobStoreOptions) {
    this.#client = client
    this.#spool = spool
    this.#bucket = options.bucket
    this.#prefix = options.prefix ?? ''
  }

  static async open(options: S3BlobStoreOptions): Promise<S3BlobStore> {
    const client = new S3Client({
      region: options.region ?? 'us-east-1',
      // Newer SDKs add trailing checksums that compatible stores do not know and that break
      // presigned uploads; hashes are ours to check anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(options.endpoint === undefined
        ? {}
        : { endpoint: options.endpoint, forcePathStyle: true }),
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    })
    const spool = await makeSpool(
      options.spoolRoot ?? join(tmpdir(), `pare-spool-${userInfo().uid}`),
    )
    return new S3BlobStore(client, spool, options)
  }

  async put(source: AsyncIterable<Uint8Array>, expected?: PutExpectation): Promise<BlobInfo> {
    const path = join(this.#spool, randomUUID())
    const info = await writeHashedFile(source, path, expected)
    try {
      await this.#upload(path, info)
    } finally {
      await rm(path, { force: true })
    }
    return info
  }

  async putFile(path: string, expected?: PutExpectation): Promise<BlobInfo> {
    const info = await hashFile(path, expected)
    await this.#upload(path, info)
    return info
  }

  async get(sha256: string, range?: ByteRange): Promise<Readable> {
    const { Body } = await this.#call(sha256, () =>
      this.#client.send(
        new GetObjectCommand({
          ...this.#address(sha256),
          ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end ?? ''}` }),
        }),
      ),
    )
    if (Body instanceof Readable) return Body
    throw storageErrors.storage_unavailable('the store answered a read without a body')
  }

  async stat(sha256: string): Promise<BlobInfo | null> {
    try {
      const { ContentLength } = await this.#call(sha256, () =>
        this.#client.send(new HeadObjectCommand(this.#address(sha256))),
      )
      return { sha256, sizeBytes: ContentLength ?? 0 }
    } catch (error) {
      if (isCode(error, 'blob_not_found')) return null
      throw error
    }
  }

  async delete(sha256: string): Promise<void> {
    await this.#call(sha256, () =>
      this.#client.send(new DeleteObjectCommand(this.#address(sha256))),
    )
  }

  async copyToFile(sha256: string, path: string): Promise<BlobInfo> {
    return writeCheckedCopy(sha256, await this.get(sha256), path)
  }

  readonly presignGet = (sha256: string, options: PresignOptions): Promise<string> =>
    getSignedUrl(
      this.#client,
      new GetObjectCommand({
        ...this.#address(sha256),
        ...(options.fileName === undefined
          ? {}
          : { ResponseContentDisposition: contentDisposition(options.fileName) }),
        ...(options.contentType === undefined ? {} : { ResponseContentType: options.contentType }),
      }),
      { expiresIn: options.expiresInSeconds },
    )

  async checkHealth(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }))
    } catch (error) {
      throw storageFailure(error, 'the bucket does not answer')
    }
  }

  async close(): Promise<void> {
    this.#client.destroy()
    await rm(this.#spool, { recursive: true, force: true })
  }

  async #upload(path: string, info: BlobInfo): Promise<void> {
    // The key is the content: what is there already need not travel again.
    if ((await this.stat(info.sha256))?.sizeBytes === info.sizeBytes) return
    const upload = new Upload({
      client: this.#client,
      params: { ...this.#address(info.sha256), Body: createReadStream(path) },
      partSize: partSizeOf(info.sizeBytes),
      queueSize: 2,
    })
    await this.#call(info.sha256, () => upload.done())
    for (const pauseMs of CHECK_PAUSES_MS) {
      await sleep(pauseMs)
      if ((await this.stat(info.sha256))?.sizeBytes === info.sizeBytes) return
    }
    await this.delete(info.sha256)
    throw storageErrors.storage_unavailable('the store kept another number of bytes than were sent')
  }

  #address(sha256: string): { Bucket: string; Key: string } {
    checkHash(sha256)
    const key = `${this.#prefix}blobs/${sha256.slice(0, 2)}/${sha256.slice(2)}`
    return { Bucket: this.#bucket, Key: key }
  }

  async #call<Output>(sha256: string, send: () => Promise<Output>): Promise<Output> {
    try {
      return await send()
    } catch (error) {
      if (isMissingObject(error)) {
        throw storageErrors.blob_not_found(`there is no blob ${sha256}`, { details: { sha256 } })
      }
      throw storageFailure(error, 'the blob store refused or did not answer')
    }
  }
}

/** A folder of this process's own, after those of processes that were killed are removed. */
async function makeSpool(root: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  for (const name of await readdir(root)) {
    if (isOrphan(name)) await rm(join(root, name), { recursive: true, force: true })
  }
  const spool = join(root, ownedName())
  await mkdir(spool, { mode: 0o700 })
  return spool
}

/** A missing bucket is also a 404, but it is a fault of the set-up and not of the blob. */
function isMissingObject(error: unknown): boolean {
  if (!(error instanceof S3ServiceException)) return false
  return error.$metadata.httpStatusCode === 404 && error.name !== 'NoSuchBucket'
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function contentDisposition(fileName: string): string {
  const plain = fileName.replaceAll(/[^\w.-]/g, '_')
  return `attachment; filename="${plain}"`
}
