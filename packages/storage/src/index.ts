export {
  type BlobInfo,
  type BlobStore,
  type ByteRange,
  type PresignOptions,
  type PutExpectation,
} from './blob-store.js'
export { storageErrors } from './errors.js'
export { openBlobStore, type OpenBlobStoreOptions } from './open-blob-store.js'
export type { S3Credentials } from './s3.js'
