export type { ArraySource } from './array-source.js'
export { type OpenOptions } from './array-source.js'
export {
  type Batch,
  type Batches,
  castFloats,
  type Feeds,
  firstRow,
  mapFeeds,
  rowOf,
  toBatches,
} from './batch.js'
export {
  type BatchOptions,
  type Dataset,
  type InputBinding,
  openDataset,
  type OpenDatasetOptions,
} from './dataset.js'
export type {
  ArrayDescription,
  DatasetCheck,
  DatasetDescription,
  LabelsDescription,
} from './description.js'
export { errors as datasetErrors } from './errors.js'
export { inspectDataset, type InspectOptions } from './inspect.js'
export { type DatasetLimits } from './limits.js'
export { type DatasetMatch, matchDataset, type ModelInput } from './match.js'
export { normalizeDataset } from './normalize.js'
export { formatNpyHeader, type NpyDataType, type NpyHeader } from './npy.js'
export { bytesAccess, type ByteSink, type RandomAccess } from './random-access.js'
export { type RememberReads, rememberReads } from './remember-reads.js'
export {
  firstBatch,
  type SampleOrder,
  type SamplePart,
  type SampleSource,
  sampleSource,
  type SampleSourceOptions,
} from './sample-source.js'
export { type StoredEntry, writeStoredZip } from './zip-writer.js'
