// The one way to look at data: whoever runs a model over samples is given a source of them, and asks
// it for batches as often as it likes.
import { createRandom } from '@pare/tensor'

import type { Batch } from './batch.js'
import type { BatchOptions, Dataset } from './dataset.js'
import type { DatasetMatch } from './match.js'

/** As they lie in the data set, or shuffled: the same seed gives the same order. */
export type SampleOrder = 'stored' | { readonly seed: number }

/** What to read of a source. The batches are those of one pass, or of a part of it. */
export interface SamplePart {
  /** Place of the first sample in the order; so a pass goes on where it was left. Default 0. */
  readonly from?: number
  /** Most samples. Default: all from there on. */
  readonly samples?: number
  /** Default `stored`. */
  readonly order?: SampleOrder
  /** Rows per batch, where the model does not insist on another number. Default: the source's. */
  readonly batchSize?: number
  /**
   * A last batch with too few samples is given as it is (`keep`, the default) or left out (`drop`).
   * Where the model insists on a batch size, what is kept is filled up with its last sample.
   */
  readonly remainder?: 'keep' | 'drop'
}

/** Samples as a model takes them, with their labels. */
export interface SampleSource {
  /** How many there are. */
  readonly samples: number
  /** Reads anew each time. */
  readonly batches: (part?: SamplePart) => AsyncIterable<Batch>
}

export interface SampleSourceOptions {
  /** Of `matchDataset`: which array feeds which input, and whether batches have a fixed size. */
  readonly match: Pick<DatasetMatch, 'inputs' | 'fixedBatchSize'>
  /** Arrays that batches have as `labelArrays`. */
  readonly labelArrays?: readonly string[]
  /** Rows per batch where the model takes any number. Default 32. */
  readonly batchSize?: number
  /** The first sample of the data set that belongs to the source. Default 0. */
  readonly offset?: number
  /** Most samples of the source. Default: all from there on. */
  readonly limit?: number
}

/** The samples of a data set, or a part of them, for one model. */
export function sampleSource(dataset: Dataset, options: SampleSourceOptions): SampleSource {
  const { offset = 0, limit = Infinity } = options
  const samples = Math.max(0, Math.min(dataset.samples - offset, limit))
  return {
    samples,
    batches: (part = {}) => dataset.batches(batchOptions(part, { ...options, offset, samples })),
  }
}

function batchOptions(
  { from = 0, samples: most = Infinity, order = 'stored', remainder = 'keep', ...part }: SamplePart,
  source: SampleSourceOptions & { readonly offset: number; readonly samples: number },
): BatchOptions {
  const { inputs, fixedBatchSize } = source.match
  const { labelArrays = [] } = source
  const batchSize = fixedBatchSize ?? part.batchSize ?? source.batchSize
  return {
    ...{ inputs, labelArrays },
    ...(batchSize === undefined ? {} : { batchSize }),
    remainder: remainder === 'keep' && fixedBatchSize !== null ? 'pad' : remainder,
    limit: Math.max(0, Math.min(most, source.samples - from)),
    ...(order === 'stored'
      ? { offset: source.offset + from }
      : { offset: from, order: shuffled(source, order.seed) }),
  }
}

function shuffled(
  { offset, samples }: { readonly offset: number; readonly samples: number },
  seed: number,
): Uint32Array {
  return createRandom(seed)
    .permutation(samples)
    .map((index) => offset + index)
}

/** The first samples as one batch, fewer where there are fewer; undefined where there is none. */
export async function firstBatch(
  source: SampleSource,
  samples: number,
): Promise<Batch | undefined> {
  for await (const batch of source.batches({ samples, batchSize: samples })) return batch
  return undefined
}
