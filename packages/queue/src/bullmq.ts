// The doorbell on BullMQ, with PostgreSQL or Redis behind it. The two differ only in how a
// connection is described; everything else is BullMQ's public surface.
import { randomUUID } from 'node:crypto'

import { CodedError, coerceError } from '@pare/errors'
import {
  createPostgresBackend,
  type Job,
  type JobsOptions,
  Queue,
  runMigrations,
  Worker,
  type WorkerOptions,
} from 'bullmq'
import pg from 'pg'

import { atMostOncePer } from './at-most-once-per.js'
import type {
  Doorbell,
  Listener,
  ListenOptions,
  OpenDoorbellOptions,
  RingDevice,
  RingHandler,
  RingOptions,
  RingPriority,
  StageRing,
} from './doorbell.js'
import { queueErrors } from './errors.js'

/** BullMQ's own tables live beside ours, in a schema that only BullMQ migrates. */
const POSTGRES_SCHEMA = 'pare_queue'
const DEFAULT_NAME = 'stages'
const ANSWER_TIMEOUT_MS = 2000

/** BullMQ takes entries without a priority first, then ascending numbers. */
const PRIORITY: Readonly<Record<RingPriority, number>> = { high: 0, normal: 10, low: 20 }

const WAITING_STATES: readonly string[] = ['waiting', 'prioritized', 'delayed']

/** What we use of BullMQ's Queue and Worker, whose types otherwise name the server behind them. */
type RingQueue = Pick<
  Queue<StageRing>,
  'waitUntilReady' | 'getJobCountByTypes' | 'getJobState' | 'close'
> & {
  add(name: string, ring: StageRing, options: JobsOptions): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
}
interface RingWorker {
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'failed', listener: (job: unknown, error: Error) => void): unknown
}

/** The parts of BullMQ that depend on the server behind it. */
interface Backend {
  makeQueue(name: string): RingQueue
  makeWorker(
    name: string,
    handler: RingHandler,
    options: Omit<WorkerOptions, 'connection'>,
  ): RingWorker
}

export async function openPostgresDoorbell(
  url: string,
  options: OpenDoorbellOptions = {},
): Promise<Doorbell> {
  await migrate(url)
  const connection = { connectionString: url, schema: POSTGRES_SCHEMA, max: 3 }
  return BullmqDoorbell.open(options, {
    makeQueue: (name) =>
      new Queue(name, { connection, streams: { events: { maxLen: 1000 } } }, createPostgresBackend),
    makeWorker: (name, handler, workerOptions) =>
      new Worker(
        name,
        (job: Job<StageRing>) => handler(job.data),
        { ...workerOptions, connection },
        createPostgresBackend,
      ),
  })
}

export function openRedisDoorbell(
  url: string,
  options: OpenDoorbellOptions = {},
): Promise<Doorbell> {
  const prefix = 'pare'
  return BullmqDoorbell.open(options, {
    makeQueue: (name) =>
      new Queue<StageRing>(name, {
        prefix,
        // A ring must fail soon rather than wait for a server that is away: the reconciler repeats it.
        connection: { url, maxRetriesPerRequest: 1 },
        streams: { events: { maxLen: 1000 } },
      }),
    makeWorker: (name, handler, workerOptions) =>
      new Worker<StageRing>(name, (job) => handler(job.data), {
        ...workerOptions,
        prefix,
        // Blocking reads wait for as long as it takes; BullMQ insists on this.
        connection: { url, maxRetriesPerRequest: null },
      }),
  })
}

/** Creates or updates BullMQ's schema, under its advisory lock, so any number may start at once. */
async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  // A query that fails says so itself; a cut connection must not end the process besides.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await runMigrations(client, POSTGRES_SCHEMA)
  } catch (error) {
    throw unavailable(error, 'the schema of the queue cannot be prepared')
  } finally {
    await client.end().catch(() => undefined)
  }
}

class BullmqDoorbell implements Doorbell {
  readonly #backend: Backend
  readonly #name: string
  readonly #queues: Readonly<Record<RingDevice, RingQueue>>
  readonly #onError: (error: Error) => void
  readonly #listeners = new Set<Listener>()
  #isClosed = false

  private constructor(backend: Backend, name: string, onError: (error: Error) => void) {
    this.#backend = backend
    this.#name = name
    // A connection that BullMQ still ends in the background may be cut when the server stops.
    this.#onError = (error) => {
      if (!this.#isClosed) onError(error)
    }
    const open = (device: RingDevice): RingQueue => {
      const queue = backend.makeQueue(queueName(name, device))
      queue.on('error', this.#onError)
      return queue
    }
    this.#queues = { cpu: open('cpu'), cuda: open('cuda') }
  }

  static async open(options: OpenDoorbellOptions, backend: Backend): Promise<BullmqDoorbell> {
    const doorbell = new BullmqDoorbell(
      backend,
      options.name ?? DEFAULT_NAME,
      atMostOncePer(1000, options.onError ?? (() => undefined)),
    )
    try {
      await answered(Promise.all(doorbell.#all().map((queue) => queue.waitUntilReady())))
    } catch (error) {
      await doorbell.close()
      throw error
    }
    return doorbell
  }

  async ring(ring: StageRing, options: RingOptions = {}): Promise<void> {
    // BullMQ forbids ':' and plain integers in ids; it ignores an id that it still knows.
    const id = `${ring.stageId}.${ring.attempt}`
    const jobOptions: JobsOptions = {
      attempts: 1,
      removeOnComplete: true,
      removeOnFail: true,
      delay: options.delayMs ?? 0,
      priority: PRIORITY[options.priority ?? 'normal'],
    }
    const { stageId, attempt } = ring
    const queue = this.#queues[options.device ?? 'cpu']
    const jobId = options.again === true ? await freshId(queue, id) : id
    if (jobId === null) return
    await answered(queue.add('stage', { stageId, attempt }, { ...jobOptions, jobId }))
  }

  async listen(
    handler: RingHandler,
    { concurrency, device = 'cpu' }: ListenOptions,
  ): Promise<Listener> {
    const worker = this.#backend.makeWorker(queueName(this.#name, device), handler, {
      concurrency,
      // The handler only does I/O, so its lock is renewed in time; a dead process frees its rings
      // after about 40 s, and the reconciler is faster than that.
      lockDuration: 30_000,
      stalledInterval: 10_000,
      maxStalledCount: 5,
      runRetryDelay: 1000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    })
    worker.on('error', this.#onError)
    worker.on('failed', (_job, error) => this.#onError(error))
    const listener: Listener = {
      close: async () => {
        this.#listeners.delete(listener)
        await worker.close()
      },
    }
    this.#listeners.add(listener)
    await worker.waitUntilReady().catch((error: unknown) => {
      throw unavailable(error, 'the queue does not let us listen')
    })
    return listener
  }

  async countWaiting(): Promise<number> {
    const counts = this.#all().map((queue) =>
      queue.getJobCountByTypes('waiting', 'prioritized', 'delayed'),
    )
    return (await answered(Promise.all(counts))).reduce((sum, count) => sum + count, 0)
  }

  async checkHealth(): Promise<void> {
    await this.countWaiting()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.close()))
    await Promise.all(this.#all().map((queue) => queue.close()))
    this.#isClosed = true
  }

  #all(): readonly RingQueue[] {
    return Object.values(this.#queues)
  }
}

/** The queue of the CPU has the bell's own name. */
function queueName(name: string, device: RingDevice): string {
  return device === 'cpu' ? name : `${name}-${device}`
}

/** An id that the queue will take, or null when the earlier ring still waits to be heard. */
async function freshId(queue: RingQueue, id: string): Promise<string | null> {
  const state = await answered(queue.getJobState(id))
  if (WAITING_STATES.includes(state)) return null
  return state === 'unknown' ? id : `${id}.${randomUUID()}`
}

async function answered<Answer>(pending: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(queueErrors.queue_unavailable(`no answer within ${ANSWER_TIMEOUT_MS} ms`))
    }, ANSWER_TIMEOUT_MS)
  })
  try {
    return await Promise.race([pending, timeout])
  } catch (error) {
    throw unavailable(error, 'the queue refused or did not answer')
  } finally {
    clearTimeout(timer)
  }
}

function unavailable(error: unknown, message: string): CodedError {
  if (error instanceof CodedError) return error
  return queueErrors.queue_unavailable(message, { cause: coerceError(error) })
}
