import type { Model } from '@pare/graph'

/**
 * Samples per batch with which calibration is fastest on CPUs: enough to keep the kernels busy, few
 * enough for the activations of a layer to stay in the cache. Changing it changes the last bit of
 * some activations, hence of ranges: it is part of what a result is made of.
 */
const CALIBRATION_BATCH_SIZE = 32

/** The batch size a model was exported for, or the fastest one where it takes any. */
export function calibrationBatchSize(model: Model): number {
  return fixedBatchSize(model) ?? CALIBRATION_BATCH_SIZE
}

/** Undefined where the model takes any. */
export function fixedBatchSize(model: Model): number | undefined {
  const sizes = model.graph.inputs
    .filter(({ name }) => !model.graph.initializers.has(name))
    .map(({ type }) => (type?.kind === 'tensor' ? type.shape?.[0]?.size : undefined))
    .filter((size) => size !== undefined && size > 0)
  return sizes[0]
}
