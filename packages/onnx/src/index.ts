export { type CanonicalizeOptions, type ReadExternalData } from './bundle/canonicalize-model.js'
export { decodeModel, type DecodeOptions } from './decode/decode-model.js'
export { encodeModel, encodeModelChunks } from './encode/encode-model.js'
export {
  type EncodedWithExternalData,
  encodeModelWithExternalData,
  type ExternalEncodeOptions,
} from './external-data.js'
export { type ByteSource } from './scan/byte-source.js'
export { type ScanErrorCode } from './scan/errors.js'
export { type ScanLimits, type ScanPolicy } from './scan/limits.js'
export { scanModel, type ScanOptions } from './scan/scan-model.js'
export type { ScanReport } from './scan/scan-report.js'
export { type Chunk, type LaterBytes, piecesOf } from './wire/writer.js'
