import { fileURLToPath } from 'node:url'

import type { BlobStore } from './blob-store.js'
import { storageErrors } from './errors.js'
import type { S3Credentials } from './s3.js'

export interface OpenBlobStoreOptions {
  /** For `s3:` URLs; default: the SDK's own chain (environment, instance role). */
  readonly credentials?: S3Credentials
  /** Where the S3 adapter keeps uploads until their hash is known. */
  readonly spoolRoot?: string
}

/**
 * Opens the store a URL names: `file:///var/lib/pare/blobs` or
 * `s3://bucket/optional/prefix?endpoint=https://host:9000&region=eu-central-1`.
 * The adapter's client library is loaded only when it is used.
 */
export async function openBlobStore(
  url: string,
  options: OpenBlobStoreOptions = {},
): Promise<BlobStore> {
  const parsed = parse(url)
  switch (parsed.protocol) {
    case 'file:': {
      const { FilesystemBlobStore } = await import('./filesystem.js')
      return FilesystemBlobStore.open({ root: fileURLToPath(parsed) })
    }
    case 's3:': {
      const { S3BlobStore } = await import('./s3.js')
      const endpoint = parsed.searchParams.get('endpoint')
      const region = parsed.searchParams.get('region')
      const prefix = parsed.pathname.replace(/^\/+|\/+$/g, '')
      return S3BlobStore.open({
        bucket: parsed.hostname,
        prefix: prefix === '' ? '' : `${prefix}/`,
        ...(endpoint === null ? {} : { endpoint }),
        ...(region === null ? {} : { region }),
        ...options,
      })
    }
    default:
      throw storageErrors.storage_url_invalid(
        `a storage URL begins with file: or s3:, not with ${parsed.protocol}`,
      )
  }
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch (error) {
    throw storageErrors.storage_url_invalid('the storage URL is not a URL', { cause: error })
  }
}
