// What the tests of accuracy algorithms share: data as a source of batches.
import type { Feeds } from '@pare/datasets'
import { sourceOfBatches } from '@pare/datasets/testing'
import type { InferenceRuntime } from '@pare/inference'

import type { DataSource } from './data-source.js'

/** Hands out whole batches until there are enough samples. */
export function sourceOf(runtime: InferenceRuntime, batches: readonly Feeds[]): DataSource {
  return { runtime, threads: 1, ...sourceOfBatches(batches) }
}
