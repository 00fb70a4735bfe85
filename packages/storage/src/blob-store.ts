// The port between Pare and wherever its bytes live.
import type { Readable } from 'node:stream'

/** Bytes named by the SHA-256 of their content: 64 lower-case hexadecimal digits. */
export interface BlobInfo {
  readonly sha256: string
  readonly sizeBytes: number
}

/** What the caller knows about bytes before they arrive. */
export interface PutExpectation {
  readonly sha256?: string
  readonly sizeBytes?: number
  /** More bytes than this end the put with `blob_too_large` before they are stored. */
  readonly maxBytes?: number
}

/** Inclusive byte positions, as in an HTTP Range header. */
export interface ByteRange {
  readonly start: number
  readonly end?: number
}

export interface PresignOptions {
  readonly expiresInSeconds: number
  /** Offered to the browser as the name of the download. */
  readonly fileName?: string
  readonly contentType?: string
}

/**
 * A place for immutable bytes, each blob named by its SHA-256.
 *
 * It promises:
 * - bytes become visible under their hash only after all of them arrived and were verified, so a
 *   crash, a lost connection or a lie about the hash never leaves a half or wrong blob behind;
 * - putting content that is already there is cheap in space and succeeds, also concurrently;
 * - `copyToFile` hands out bytes only after checking them against their name.
 *
 * It deliberately does not know projects, owners or media types (the database does), does not list,
 * and does not count references: `delete` removes the bytes whoever else may want them.
 *
 * The adapter owns its connections and temporary files until `close`. Failures are CodedErrors of
 * `storageErrors`; an error thrown by the source of a put is passed on unchanged.
 */
export interface BlobStore {
  /** Stores a stream while hashing it. The source is consumed once and destroyed on failure. */
  put(source: AsyncIterable<Uint8Array>, expected?: PutExpectation): Promise<BlobInfo>
  /** Stores a local file; the file stays where it is and must not change meanwhile. */
  putFile(path: string, expected?: PutExpectation): Promise<BlobInfo>
  /**
   * Opens a blob for reading; the caller consumes or destroys the stream. The bytes are not
   * checked on the way: whoever must trust them uses `copyToFile`.
   */
  get(sha256: string, range?: ByteRange): Promise<Readable>
  stat(sha256: string): Promise<BlobInfo | null>
  /** Removes a blob; removing one that is not there is not an error. */
  delete(sha256: string): Promise<void>
  /**
   * Writes a blob to a new file (mode 0600) and checks it against its hash; the file must not
   * exist before and does not exist afterwards when this fails.
   */
  copyToFile(sha256: string, path: string): Promise<BlobInfo>
  /** Only where the store can be reached by clients: a URL that allows one GET until it expires. */
  readonly presignGet?: (sha256: string, options: PresignOptions) => Promise<string>
  /** Throws `storage_unavailable` unless the store answers. */
  checkHealth(): Promise<void>
  close(): Promise<void>
}
