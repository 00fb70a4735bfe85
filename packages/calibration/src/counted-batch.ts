import { type Feeds, rowsOf } from './watcher.js'

/** A batch whose first `count` rows are samples; the rest fills it up to a fixed size. */
export interface CountedBatch {
  readonly feeds: Feeds
  readonly count: number
  /** Default: the first dimension of the first input. */
  readonly rows?: number
}

export function counted(batch: Feeds | CountedBatch): CountedBatch {
  return isCounted(batch) ? batch : { feeds: batch, count: rowsOf(batch) }
}

/** An input may be called `count`, but its value is no number. */
function isCounted(batch: Feeds | CountedBatch): batch is CountedBatch {
  return typeof (batch as CountedBatch).count === 'number'
}
