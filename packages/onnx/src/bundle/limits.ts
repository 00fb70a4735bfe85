/** What a zip archive of a model may hold. */
export interface BundleLimits {
  readonly maxEntries: number
  /** Bytes of all files, counted while they are inflated. */
  readonly maxInflatedBytes: number
  /** Inflated bytes per byte of the archive, once more than `ratioFloorBytes` are inflated. */
  readonly maxRatio: number
  readonly ratioFloorBytes: number
}

export const DEFAULT_BUNDLE_LIMITS: BundleLimits = {
  maxEntries: 1_024,
  maxInflatedBytes: 16 * 2 ** 30,
  maxRatio: 200,
  ratioFloorBytes: 16 * 2 ** 20,
}
