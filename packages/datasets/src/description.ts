// What a data set is, as recorded when it was inspected: plain JSON.
import type { NpyDataType } from './npy.js'

export type DatasetDescription = {
  /** In alphabetical order; the labels array is one of them. */
  readonly arrays: readonly ArrayDescription[]
  readonly samples: number
  readonly labels: LabelsDescription | null
  readonly checks: readonly DatasetCheck[]
}

export type ArrayDescription = {
  readonly name: string
  readonly dataType: NpyDataType
  /** With the number of samples first. */
  readonly dims: readonly number[]
}

export type LabelsDescription =
  | {
      /** One class index per sample: what `top1` and `top5` need. */
      readonly kind: 'classes'
      readonly name: string
      readonly min: number
      readonly max: number
    }
  | {
      /**
       * Several integers per sample, such as a class per position or pixel: what `accuracy` and `miou`
       * need. Negative ones are not to count.
       */
      readonly kind: 'places'
      readonly name: string
      readonly min: number
      readonly max: number
    }
  | {
      /** Anything else, such as regression targets: what `mse` needs. */
      readonly kind: 'targets'
      readonly name: string
    }

/** Something the owner of the data should know, that does not stop a job. */
export type DatasetCheck = {
  readonly severity: 'info' | 'warning'
  readonly code:
    | 'duplicate_samples'
    | 'input_constant'
    | 'input_has_infinities'
    | 'input_not_normalized'
    | 'labels_absent'
    | 'labels_single_class'
    | 'no_inputs'
  readonly message: string
  readonly array?: string
}
