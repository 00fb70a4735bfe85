// What the tests of accuracy algorithms share: data as a source of batches.
import type { Feeds } from '@pare/calibration'
import type { InferenceRuntime } from '@pare/inference'

import type { DataSource } from './data-source.js'

/** Hands out whole batches until there are enough samples. */
export function sourceOf(runtime: InferenceRuntime, batches: readonly Feeds[]): DataSource {
  return {
    runtime,
    threads: 1,
    async *batches({ samples }) {
      let left = samples
      for (const feeds of batches) {
        if (left <= 0) return
        left -= Object.values(feeds)[0]?.dims[0] ?? 1
        yield await Promise.resolve(feeds)
      }
    },
  }
}
