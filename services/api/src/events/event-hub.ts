// Tells those who wait in this process that a job has changed. One LISTEN connection feeds all
// waiters; a notification says only "look again", so a lost or repeated one does no harm.
import { EVENTS_CHANNEL, listen } from '@pare/database'

export interface EventHub {
  /**
   * Calls back at each change of the job (or model, or dataset) until unsubscribed; also when the
   * connection was lost and is back, since changes may have been missed.
   */
  readonly subscribe: (id: string, onChange: () => void) => () => void
  /** True once the process is going down: streams end, waits are over. */
  readonly isClosing: () => boolean
  /** Wakes all waiters for the last time. */
  readonly beginClose: () => void
  readonly close: () => Promise<void>
}

export interface EventHubOptions {
  readonly connectionString: string
  readonly onError?: (error: Error) => void
}

export async function openEventHub(options: EventHubOptions): Promise<EventHub> {
  const waiters = new Map<string, Set<() => void>>()
  let closing = false

  const wakeAll = () => {
    for (const callbacks of waiters.values()) for (const wake of [...callbacks]) wake()
  }
  const listener = await listen({
    connectionString: options.connectionString,
    channels: [EVENTS_CHANNEL],
    onNotification: (_channel, payload) => {
      for (const id of idsIn(payload)) for (const wake of [...(waiters.get(id) ?? [])]) wake()
    },
    onConnect: wakeAll,
    ...(options.onError === undefined ? {} : { onError: options.onError }),
  })

  return {
    subscribe: (id, onChange) => {
      const callbacks = waiters.get(id) ?? new Set()
      waiters.set(id, callbacks.add(onChange))
      return () => {
        callbacks.delete(onChange)
        if (callbacks.size === 0 && waiters.get(id) === callbacks) waiters.delete(id)
      }
    },
    isClosing: () => closing,
    beginClose: () => {
      closing = true
      wakeAll()
    },
    close: () => listener.close(),
  }
}

/** The payload is {job, seq}, {model} or {dataset}, written by our own transactions. */
function idsIn(payload: string): readonly string[] {
  const values = Object.values(JSON.parse(payload) as Readonly<Record<string, unknown>>)
  return values.filter((value) => typeof value === 'string')
}

/**
 * A signal that remembers: `next` resolves at the first change since it last resolved, so a change
 * between a query and the wait for the next one is not missed.
 */
export interface ChangeSignal {
  /** False when the time ran out first. */
  readonly next: (timeoutMs: number) => Promise<boolean>
  readonly wake: () => void
  readonly close: () => void
}

export function watch(hub: EventHub, id: string): ChangeSignal {
  let changed = false
  let resolve: ((changed: boolean) => void) | undefined
  const wake = () => {
    changed = true
    resolve?.(true)
  }
  const unsubscribe = hub.subscribe(id, wake)
  return {
    wake,
    next: async (timeoutMs) => {
      if (!changed) {
        let timer: NodeJS.Timeout | undefined
        await new Promise<boolean>((done) => {
          resolve = done
          timer = setTimeout(() => done(false), timeoutMs)
        })
        clearTimeout(timer)
        resolve = undefined
      }
      const result = changed
      changed = false
      return result
    },
    close: unsubscribe,
  }
}
