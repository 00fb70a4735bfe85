export {
  canonicalizeModel,
  type CanonicalizeOptions,
  type ReadExternalData,
} from './bundle/canonicalize-model.js'
export { decodeModel, type DecodeOptions } from './decode/decode-model.js'
export { encodeInlined, encodeModel, encodeModelChunks } from './encode/encode-model.js'
export { codecErrors } from './errors.js'
export {
  type EncodedWithExternalData,
  encodeModelWithExternalData,
  type ExternalEncodeOptions,
  loadExternalData,
  type ReadRange,
} from './external-data.js'
export { type ByteSource, bytesSource } from './scan/byte-source.js'
export { type ScanErrorCode, scanErrors } from './scan/errors.js'
export { isMemberName } from './scan/external-data.js'
export {
  DEFAULT_SCAN_LIMITS,
  DEFAULT_SCAN_POLICY,
  type ScanLimits,
  type ScanPolicy,
} from './scan/limits.js'
export { scanModel, type ScanOptions } from './scan/scan-model.js'
export type { ScanReport } from './scan/scan-report.js'
export { type Chunk, type LaterBytes, piecesOf } from './wire/writer.js'
