/** What a data set may claim. Checked against what the file says and again against what it does. */
export interface DatasetLimits {
  /** Entries of an archive. */
  readonly maxArrays: number
  /** Bytes of all arrays together, inflated. Below 4 GiB, so that no archive needs zip64. */
  readonly maxInflatedBytes: number
  /** Inflated bytes per byte of archive, once an archive inflates to more than `ratioFloorBytes`. */
  readonly maxRatio: number
  /** A small archive of masks or zeros may compress by any ratio up to this size. */
  readonly ratioFloorBytes: number
  /** Bytes of one sample of one array: the least that has to be in memory at once. */
  readonly maxSampleBytes: number
  readonly maxRank: number
  readonly maxNameBytes: number
}

export const DEFAULT_LIMITS: DatasetLimits = {
  maxArrays: 64,
  maxInflatedBytes: 0xffff_ffff - (1 << 20),
  maxRatio: 200,
  ratioFloorBytes: 64 << 20,
  maxSampleBytes: 256 << 20,
  maxRank: 16,
  maxNameBytes: 512,
}
