// Reading onnxruntime's profile: one event per kernel and run, in the order in which they ended.

/** One kernel as it ran. Times are in microseconds. */
export interface KernelEvent {
  /** The runtime's name of the node. */
  readonly name: string
  readonly opType: string
  readonly start: number
  readonly duration: number
}

interface RawEvent {
  readonly cat?: unknown
  readonly name?: unknown
  readonly ts?: unknown
  readonly dur?: unknown
  readonly args?: { readonly op_name?: unknown }
}

const SUFFIX = '_kernel_time'

/** The kernels of each run, in the order of their start. `text` is the file that a session wrote. */
export function readTrace(text: string): readonly (readonly KernelEvent[])[] {
  const events = JSON.parse(text) as readonly RawEvent[]
  const runs = events.filter(({ cat, name }) => cat === 'Session' && name === 'model_run')
  const kernels = events.flatMap(kernelEvent).sort((a, b) => a.start - b.start)
  const starts = runs.map(({ ts }) => Number(ts)).sort((a, b) => a - b)
  return starts.map((start, run) => {
    const end = starts[run + 1] ?? Infinity
    return kernels.filter((kernel) => kernel.start >= start && kernel.start < end)
  })
}

function kernelEvent({ cat, name, ts, dur, args }: RawEvent): readonly KernelEvent[] {
  const opType = args?.op_name
  if (cat !== 'Node' || typeof name !== 'string' || typeof opType !== 'string') return []
  // onnxruntime writes more than one event per node; only this one has the time of the kernel.
  if (!name.endsWith(SUFFIX)) return []
  const event = { name: name.slice(0, -SUFFIX.length), opType }
  return [{ ...event, start: Number(ts), duration: Number(dur) }]
}

/**
 * For each event the position of the one inside which it ran: the If, Loop or Scan of a body's node.
 * `events` are one run's, in the order of their start.
 */
export function surrounding(events: readonly KernelEvent[]): readonly (number | undefined)[] {
  const open: number[] = []
  return events.map((event, at) => {
    while (open.length > 0 && endOf(events[open.at(-1)!]!) <= event.start) open.pop()
    const around = open.at(-1)
    open.push(at)
    return around !== undefined && endOf(event) <= endOf(events[around]!) ? around : undefined
  })
}

/** Durations without the time of what ran inside. */
export function ownTimes(events: readonly KernelEvent[]): readonly number[] {
  const own = events.map(({ duration }) => duration)
  surrounding(events).forEach((around, at) => {
    if (around !== undefined) own[around]! -= events[at]!.duration
  })
  return own.map((time) => Math.max(0, time))
}

function endOf({ start, duration }: KernelEvent): number {
  return start + duration
}
