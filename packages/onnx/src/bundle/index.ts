export {
  type Bundle,
  type BundleFile,
  extractBundle,
  type ExtractOptions,
} from './extract-bundle.js'
export { type BundleLimits } from './limits.js'
export {
  isBundle,
  type ModelFile,
  type ModelFileFormat,
  type ModelFilePlan,
  openModelFile,
  planModelFile,
  type PlanModelFileOptions,
} from './model-file.js'
export { type OpenedUpload, openUpload, type OpenUploadOptions } from './open-upload.js'
export { openPlainFile, type PlainFile } from './plain-file.js'
