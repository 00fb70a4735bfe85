export { type Bundle, extractBundle, type ExtractOptions } from './extract-bundle.js'
export { type BundleLimits, DEFAULT_BUNDLE_LIMITS } from './limits.js'
export { type OpenedUpload, openUpload, type OpenUploadOptions } from './open-upload.js'
export { openPlainFile, type PlainFile } from './plain-file.js'
