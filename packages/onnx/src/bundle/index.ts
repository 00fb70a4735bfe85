export {
  type Bundle,
  type BundleFile,
  extractBundle,
  type ExtractOptions,
} from './extract-bundle.js'
export { type BundleLimits, DEFAULT_BUNDLE_LIMITS } from './limits.js'
export {
  isBundle,
  MAX_ONNX_BYTES,
  type ModelFile,
  type ModelFileFormat,
  type ModelFilePlan,
  openModelFile,
  planModelFile,
  type PlanModelFileOptions,
} from './model-file.js'
export { type OpenedUpload, openUpload, type OpenUploadOptions } from './open-upload.js'
export { openPlainFile, type PlainFile } from './plain-file.js'
