import type { Graph } from './model.js'
import { definedValues, walkGraphs } from './walk.js'

/** Hands out names that nothing in the model uses yet. */
export interface NameAuthority {
  /** `hint` where it is free, otherwise `hint_1`, `hint_2`, …; the name is taken from then on. */
  readonly unique: (hint: string) => string
  readonly take: (name: string) => void
}

/** Value names of the graph and every graph inside it: a body must not shadow an outer name. */
export function valueNames(graph: Graph): NameAuthority {
  const used = new Set<string>()
  for (const inner of walkGraphs(graph)) {
    for (const name of definedValues(inner)) used.add(name)
    for (const node of inner.nodes) for (const name of node.inputs) used.add(name)
    for (const { name } of inner.outputs) used.add(name)
  }
  return nameAuthority(used)
}

/** Node names of the graph and every graph inside it. */
export function nodeNames(graph: Graph): NameAuthority {
  const used = new Set<string>()
  for (const inner of walkGraphs(graph)) for (const node of inner.nodes) used.add(node.name)
  return nameAuthority(used)
}

function nameAuthority(used: Set<string>): NameAuthority {
  const counters = new Map<string, number>()
  used.add('')
  const unique = (hint: string) => {
    let name = hint
    let counter = counters.get(hint) ?? 0
    while (used.has(name)) name = `${hint}_${++counter}`
    counters.set(hint, counter)
    used.add(name)
    return name
  }
  return { unique, take: (name) => used.add(name) }
}
