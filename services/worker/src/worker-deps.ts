// What the parts of a worker share.
import type { Pool } from '@pare/database'
import type { Logger, Metrics } from '@pare/observability'
import type { Doorbell } from '@pare/queue'
import type { Device } from '@pare/recipe'
import type { BlobStore } from '@pare/storage'

export interface WorkerDeps {
  readonly pool: Pool
  /** For LISTEN, which needs a connection of its own. */
  readonly databaseUrl: string
  readonly doorbell: Doorbell
  readonly store: BlobStore
  readonly logger: Logger
  readonly metrics: Metrics
}

export interface WorkerSettings {
  /** Named in the rows of stages and in logs. */
  readonly workerId: string
  /** Stages at a time on each device. */
  readonly concurrency: number
  /** Threads for heavy work inside one stage. */
  readonly threads: number
  /** What stages may run on; a stage runs on the one that its plan names. */
  readonly devices: readonly Device[]
  /** Where engine processes read and write; one folder below it belongs to this worker. */
  readonly workRoot: string
  readonly enginePath: string
  /** LD_LIBRARY_PATH of engine processes, for CUDA. */
  readonly libraryPath: string | undefined
  /** A stage whose worker has not answered for so long is given to another one. */
  readonly leaseMs: number
  /** Also the longest time after which a cancel is seen when its notification was lost. */
  readonly heartbeatMs: number
  readonly reconcileMs: number
  /** A queued stage is rung again after waiting so long. */
  readonly ringAgainMs: number
  readonly stageTimeoutMs: number
  /** Of the stages that look at an upload for the first time. */
  readonly inspectTimeoutMs: number
  readonly memoryLimitBytes: number
  readonly outputLimitBytes: number
  /** A model that would be larger as one .onnx file is kept as an archive of model and weights. */
  readonly maxOnnxBytes: number
  /** Running stages are handed back within this time after `stop`. */
  readonly drainMs: number
  /** Address ranges that webhooks may reach although they are not public. */
  readonly webhookAllowCidrs: readonly string[]
}
