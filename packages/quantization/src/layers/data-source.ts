import type { Feeds } from '@pare/calibration'
import type { InferenceRuntime } from '@pare/inference'

/** Sample data and the runtime to run models on it: what algorithms that look at data are given. */
export interface DataSource {
  readonly runtime: InferenceRuntime
  /** Threads inside one operator. */
  readonly threads: number
  /**
   * The calibration data in batches, from sample `from` (default 0), at most `samples` of it. Each
   * call reads anew.
   */
  readonly batches: (part: {
    readonly samples: number
    readonly from?: number
  }) => AsyncIterable<Feeds>
}
