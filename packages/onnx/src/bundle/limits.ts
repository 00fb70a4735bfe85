/** What a zip archive of a model may hold. */
export interface BundleLimits {
  readonly maxEntries: number
  /** Bytes of all files, counted while they are inflated. */
  readonly maxInflatedBytes: number
  /** Inflated bytes per byte of the archive, once more than `ratioFloorBytes` are inflated. */
  readonly maxRatio: number
  readonly ratioFloorBytes: number
  /**
   * The same beyond `largeBytes`: weights of that size do not compress so far, and what does would
   * fill the disk of whoever opens it.
   */
  readonly maxLargeRatio: number
  readonly largeBytes: number
}

export const DEFAULT_BUNDLE_LIMITS: BundleLimits = {
  maxEntries: 1_024,
  maxInflatedBytes: 16 * 2 ** 30,
  maxRatio: 200,
  ratioFloorBytes: 16 * 2 ** 20,
  maxLargeRatio: 4,
  largeBytes: 4 * 2 ** 30,
}
