/** What the scanner learned about a model it accepted: plain JSON. */
import type { Body } from './body.js'

export interface ScanReport {
  readonly fileBytes: number
  readonly irVersion: number
  readonly opsets: readonly { readonly domain: string; readonly version: number }[]
  /** Nodes as written, subgraphs and functions included. */
  readonly nodes: number
  readonly initializers: number
  readonly functions: number
  /** 1: no nested graphs. Counted after functions are inlined. */
  readonly deepestGraph: number
  /** Nodes of the main graph with every function call inlined. */
  readonly expandedNodes: number
  /** Nodes as written per operator, `domain.opType` outside the default domain; sorted. */
  readonly ops: Readonly<Record<string, number>>
  /** Bytes of all tensors, external data included. */
  readonly tensorBytes: number
  /** Uploaded files that tensors point into. */
  readonly externalMembers: readonly string[]
  /** What the scan itself cost: encoded fields visited, bytes fetched from the source. */
  readonly work: { readonly fields: number; readonly bytesFetched: number }
}

export function opCounts(
  bodies: readonly Body[],
  functions: ReadonlyMap<string, Body>,
): Record<string, number> {
  const counts = new Map<string, number>()
  for (const body of bodies) {
    for (const [key, use] of body.uses) {
      if (functions.has(key)) continue
      const name = use.domain === '' ? use.opType : `${use.domain}.${use.opType}`
      counts.set(name, (counts.get(name) ?? 0) + use.count)
    }
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}
