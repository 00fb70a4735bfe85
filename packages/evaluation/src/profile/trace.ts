// Reading onnxruntime's profile: one event per kernel and run, in the order in which they ended.

/** One kernel as it ran. Times are in microseconds. */
export interface KernelEvent {
  /** The runtime's name of the node. */
  readonly name: string
  readonly opType: string
  readonly start: number
  readonly duration: number
}

interface TraceEvent extends Omit<KernelEvent, 'opType'> {
  readonly category: string
  readonly opType: string | undefined
}

const SUFFIX = '_kernel_time'

/** The kernels of each run, in the order of their start. `text` is the file that a session wrote. */
export function readTrace(text: string): readonly (readonly KernelEvent[])[] {
  const events = readEvents(text)
  const starts = events
    .filter(({ category, name }) => category === 'Session' && name === 'model_run')
    .map(({ start }) => start)
    .sort((a, b) => a - b)
  // What starts within the same microsecond: what surrounds before what it surrounds.
  const kernels = events
    .flatMap(kernelEvent)
    .sort((a, b) => a.start - b.start || b.duration - a.duration)
  return starts.map((start, run) => {
    const end = starts[run + 1] ?? Infinity
    return kernels.filter((kernel) => kernel.start >= start && kernel.start < end)
  })
}

/** onnxruntime writes more than one event per node; only one has the time of the kernel. */
function kernelEvent({ category, opType, ...event }: TraceEvent): readonly KernelEvent[] {
  if (category !== 'Node' || opType === undefined || !event.name.endsWith(SUFFIX)) return []
  return [{ ...event, name: event.name.slice(0, -SUFFIX.length), opType }]
}

const EVENT = '{"cat" : "'
const HEAD =
  /^\{"cat" : "(\w+)","pid" :\d+,"tid" :\d+,"dur" :(\d+),"ts" :(\d+),"ph" : "X","name" :"/
const ARGUMENTS = '","args" : {'

/**
 * The file is meant to be JSON, but onnxruntime does not escape names: one with a quote or a line
 * break in it would make all of it unreadable. So events are cut out by what surrounds them, and
 * names are taken as they are.
 */
function readEvents(text: string): readonly TraceEvent[] {
  return `\n${text}`.split(`\n${EVENT}`).flatMap((rest): readonly TraceEvent[] => {
    const event = EVENT + rest
    const head = HEAD.exec(event)
    const end = event.lastIndexOf(ARGUMENTS)
    if (head === null || end < head[0].length) return []
    const [all, category = '', duration, start] = head
    const opType = /"op_name" : "([^"]*)"/.exec(event.slice(end))?.[1]
    const name = event.slice(all.length, end)
    return [{ category, name, opType, start: Number(start), duration: Number(duration) }]
  })
}

/** Start and duration are whole microseconds, cut off: an end may seem to be so much later or earlier. */
const CUT_OFF = 2

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
    const isInside = around !== undefined && endOf(event) <= endOf(events[around]!) + CUT_OFF
    return isInside ? around : undefined
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
