import type { Recipe } from '../steps/recipe.js'
import type { TargetIsa } from '../target.js'

export const METRICS = ['top1', 'top5', 'mse', 'fidelity'] as const
export type Metric = (typeof METRICS)[number]

export const DEVICES = ['cpu', 'cuda'] as const
export const PRIORITIES = ['low', 'normal', 'high'] as const
export type Priority = (typeof PRIORITIES)[number]

export const DATASET_ROLES = ['calibration', 'training', 'validation'] as const
export type DatasetRole = (typeof DATASET_ROLES)[number]

/** A compression request with every default in place; names as on the wire. */
export interface JobRequest {
  readonly model: string
  readonly datasets: Readonly<Partial<Record<DatasetRole, string>>>
  readonly recipe: Recipe
  readonly evaluation: {
    /** Absent: top1 where the data has integer labels and the output is scores, else fidelity. */
    readonly metric?: Metric
    /** Model output to judge; absent: the first. */
    readonly output?: string
  }
  readonly constraints: {
    /**
     * Largest accepted loss: of accuracy as a fraction (0.01 is one point) for top1 and top5, of
     * agreement with the original for fidelity, relative growth of the error for mse.
     */
    readonly max_drop?: number
  }
  readonly target: {
    readonly device: (typeof DEVICES)[number]
    readonly isa: TargetIsa
    readonly threads: number
  }
  readonly limits: { readonly max_run_seconds: number; readonly max_queue_seconds: number }
  readonly labels: Readonly<Record<string, string>>
  readonly priority: (typeof PRIORITIES)[number]
  readonly seed: number
}

export const JOB_DEFAULTS = {
  target: { device: 'cpu', isa: 'auto', threads: 1 },
  limits: { max_run_seconds: 3600, max_queue_seconds: 86_400 },
  priority: 'normal',
  seed: 0,
} as const
