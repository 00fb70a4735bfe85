// The port between whoever has made a stage ready and the workers that wait for one.

/** All that a queue entry carries. What the stage is and whether it still waits, the database knows. */
export interface StageRing {
  readonly stageId: string
  /** The number of the attempt that waits, so that an old entry is recognised as old. */
  readonly attempt: number
}

/** In the order in which waiting rings are taken. */
export const RING_PRIORITIES = ['high', 'normal', 'low'] as const

export type RingPriority = (typeof RING_PRIORITIES)[number]

/** Each has a queue of its own: a ring reaches only listeners that have the device. */
export const RING_DEVICES = ['cpu', 'cuda'] as const

export type RingDevice = (typeof RING_DEVICES)[number]

export interface RingOptions {
  /** What the stage needs. Default `cpu`. */
  readonly device?: RingDevice
  /** Taken not before so long from now. Default 0. */
  readonly delayMs?: number
  /** Default `normal`. */
  readonly priority?: RingPriority
  /**
   * An earlier ring for this attempt may have been lost. Without it a second ring for the same
   * attempt may be dropped while the first is still known; with it only while the first still waits.
   */
  readonly again?: boolean
}

export interface ListenOptions {
  /** How many rings this listener handles at a time. */
  readonly concurrency: number
  /** Whose rings it hears. Default `cpu`; for several devices, listen several times. */
  readonly device?: RingDevice
}

export type RingHandler = (ring: StageRing) => Promise<void>

export interface Listener {
  /** Takes no more rings, and resolves when the running handlers have ended. */
  close(): Promise<void>
}

/**
 * A bell that wakes a worker. It is not where work is kept: PostgreSQL is.
 *
 * It promises only that a ring normally reaches one listener of its device soon (a few milliseconds when one is
 * idle), that a listener holds at most `concurrency` rings at a time, and that a ring whose process
 * died comes back eventually. A ring may be lost, late, repeated or handled twice at once: the
 * handler claims the stage from the database first, and a reconciler rings again for stages that
 * wait too long.
 *
 * It deliberately has no retries, results, progress or cancel. A handler that throws has consumed
 * its ring.
 *
 * The adapter owns its connections until `close`; it reconnects by itself and reports what it
 * cannot repair through `onError`. Methods throw `queueErrors`.
 */
export interface Doorbell {
  ring(ring: StageRing, options?: RingOptions): Promise<void>
  listen(handler: RingHandler, options: ListenOptions): Promise<Listener>
  /** Rings that wait now, of all devices, for a gauge. */
  countWaiting(): Promise<number>
  /** Throws `queue_unavailable` unless the queue answers within two seconds. */
  checkHealth(): Promise<void>
  /** Closes the listeners that are still open, then the connections. */
  close(): Promise<void>
}

export interface OpenDoorbellOptions {
  /** Connection losses and failed handlers; called at most once a second, the queue goes on. */
  readonly onError?: (error: Error) => void
  /** Several independent bells on one server. Default `stages`. */
  readonly name?: string
}
